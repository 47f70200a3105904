import { InputError, UpstreamError } from '../kernel/errors.js'

const OURS = new Set(['input_forbidden', 'input_not_found', 'media_changed'])

/**
 * Maps an InputError about an object that a worker wrote (it is denied, missing or changed) to
 * UpstreamError `storage_unavailable`: rights have changed, a disk is not mounted, a server behind
 * a proxy is down. The recording is not to blame, and another attempt may succeed. Any other error
 * is returned unchanged.
 */
export function asStorageError(error: unknown): unknown {
  if (!(error instanceof InputError) || !OURS.has(error.code)) return error
  const { message, facts } = error
  return new UpstreamError('storage_unavailable', message, { cause: error, facts, effect: 'none' })
}

/** The error for an object that a job must have and storage has not. */
export function missingJobObject(key: string): UpstreamError {
  return new UpstreamError(
    'storage_unavailable',
    `${key} is not there: is the storage the right one, and whole? ` +
      'If the job was deleted, submit the recording again.',
    { facts: { key }, effect: 'none' },
  )
}
