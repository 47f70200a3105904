import { InputError } from '../kernel/errors.js'
import { KEY_BYTES_MAX } from './key-path.js'

/**
 * Refuses a key under which one of the stores could not store an object or find it again. The
 * prefix of the store counts for the length.
 * @throws InputError `input_unsupported` for an empty key, one of more than 1024 bytes, or half a
 *   surrogate pair
 */
export function assertStorable(key: string, prefix = ''): void {
  const bytes = Buffer.byteLength(prefix + key)
  const wellFormed = Buffer.from(key).toString() === key
  if (key !== '' && bytes <= KEY_BYTES_MAX && wellFormed) return
  const shown = JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key)
  throw new InputError(
    'input_unsupported',
    `Nothing can be stored as ${shown}: a key is 1 to ${KEY_BYTES_MAX} bytes of proper Unicode.`,
    { facts: { keyBytes: bytes } },
  )
}
