import assert from 'node:assert/strict'
import { InputError } from '../kernel/errors.js'
import type { ByteRange } from './index.js'

/** @throws AssertionError for a range that is valid for no object: empty, negative, fractional */
export function assertRange(range: ByteRange | undefined): void {
  if (!range) return
  const { startByte, endByte } = range
  assert.ok(Number.isSafeInteger(startByte) && startByte >= 0, 'a range starts at a whole byte')
  if (endByte === undefined) return
  assert.ok(Number.isSafeInteger(endByte) && endByte > startByte, 'a range holds a byte or more')
}

/** The error for a range that starts at or behind the end of its object. */
export function rangeBehindEnd(key: string, range: ByteRange, bytes: number | null): InputError {
  const size = bytes === null ? '' : ` (${bytes} bytes)`
  return new InputError(
    'input_unsupported',
    `${key} can't be read from byte ${range.startByte} on: that is behind its end${size}.`,
    { facts: { key, startByte: range.startByte, bytes } },
  )
}
