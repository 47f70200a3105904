import { InputError, UpstreamError } from '../kernel/errors.js'

const OURS = new Set(['input_forbidden', 'input_not_found', 'media_changed'])

/**
 * What it is when something that we have written ourselves is denied, not there or another than a
 * moment ago: rights that have changed, a disk that is not mounted, a server that is away behind
 * one that isn't. No recording is to blame, and another attempt may find it. Any other error is
 * returned as it is.
 */
export function asStorageError(error: unknown): unknown {
  if (!(error instanceof InputError) || !OURS.has(error.code)) return error
  const { message, facts } = error
  return new UpstreamError('storage_unavailable', message, { cause: error, facts, effect: 'none' })
}

/** A document of a job that must be there is not. */
export function missingJobObject(key: string): UpstreamError {
  return new UpstreamError(
    'storage_unavailable',
    `${key} is not there: is the storage the right one, and whole? ` +
      'If the job was deleted, submit the recording again.',
    { facts: { key }, effect: 'none' },
  )
}
