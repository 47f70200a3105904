/** A boolean as pydantic reads it in its lax mode, or the complaint that it raises. */
export type LooseBoolean =
  | { kind: 'boolean'; value: boolean }
  | { kind: 'unreadable'; complaint: 'bool_parsing' | 'bool_type' }

const TRUE_WORDS = new Set(['1', 't', 'true', 'y', 'yes', 'on'])
const FALSE_WORDS = new Set(['0', 'f', 'false', 'n', 'no', 'off'])

/** Reads booleans, 0 and 1, and the words above, in any case, without surrounding spaces. */
export function readBooleanLoosely(value: unknown): LooseBoolean {
  if (typeof value === 'boolean') return { kind: 'boolean', value }
  if (typeof value === 'number') {
    if (value === 0 || value === 1) return { kind: 'boolean', value: value === 1 }
    const complaint = Number.isInteger(value) ? 'bool_parsing' : 'bool_type'
    return { kind: 'unreadable', complaint }
  }
  if (typeof value !== 'string') return { kind: 'unreadable', complaint: 'bool_type' }
  const word = value.toLowerCase()
  if (TRUE_WORDS.has(word)) return { kind: 'boolean', value: true }
  if (FALSE_WORDS.has(word)) return { kind: 'boolean', value: false }
  return { kind: 'unreadable', complaint: 'bool_parsing' }
}
