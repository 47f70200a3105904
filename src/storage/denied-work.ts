import { InputError, UpstreamError } from '../kernel/errors.js'

/**
 * What a denial is of something that we have written ourselves: the rights to the store have
 * changed, and no recording is to blame. Any other error is returned as it is.
 */
export function asDeniedWork(error: unknown): unknown {
  if (!(error instanceof InputError) || error.code !== 'input_forbidden') return error
  const { message, facts } = error
  return new UpstreamError('storage_unavailable', message, { cause: error, facts, effect: 'none' })
}
