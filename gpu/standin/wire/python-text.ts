/**
 * How Python would put a JSON value into words. vLLM echoes what it was sent in its error texts,
 * and a client may see them; these are the few rules that matter for values that came as JSON.
 */

/** Levels of lists and dicts at which the text is refused; Python's own limit is about this. */
const DEPTH_MAX = 950

/** `type(value).__name__` of Python. */
export function pythonTypeName(value: unknown): string {
  if (value === null) return 'NoneType'
  if (Array.isArray(value)) return 'list'
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float'
    case 'string':
      return 'str'
    default:
      return 'dict'
  }
}

/** `str(value)` of Python. @throws RangeError for a value nested too deeply */
export function pythonStr(value: unknown): string {
  return typeof value === 'string' ? value : pythonRepr(value)
}

/** `repr(value)` of Python. @throws RangeError for a value nested too deeply */
export function pythonRepr(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw new RangeError('maximum recursion depth exceeded')
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number') return numberRepr(value)
  if (typeof value === 'string') return stringRepr(value)
  if (Array.isArray(value)) {
    return `[${value.map((item) => pythonRepr(item, depth + 1)).join(', ')}]`
  }
  const items = Object.entries(value).map(
    ([key, item]) => `${stringRepr(key)}: ${pythonRepr(item, depth + 1)}`,
  )
  return `{${items.join(', ')}}`
}

function numberRepr(value: number): string {
  if (Number.isFinite(value)) return String(value)
  if (Number.isNaN(value)) return 'nan'
  return value > 0 ? 'inf' : '-inf'
}

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  // Python prints every character except those of the categories "other" and "separator".
  const body = text.replace(/[\\'"\p{C}\p{Z}]/gu, (character) => {
    if (character === ' ') return character
    if (character === "'" || character === '"') {
      return character === quote ? `\\${character}` : character
    }
    return ESCAPES[character] ?? codePointEscape(character.codePointAt(0) ?? 0)
  })
  return quote + body + quote
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function codePointEscape(codePoint: number): string {
  const hex = codePoint.toString(16)
  if (codePoint < 0x100) return `\\x${hex.padStart(2, '0')}`
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

/** Removes what vLLM removes from an exception's text: addresses, stack frames and paths. */
export function sanitizeMessage(message: string): string {
  return message
    .replace(/ at 0x[0-9a-fA-F]+>/g, '>')
    .replace(/\/(?:home|usr|opt|var|tmp|root|lib|mnt|srv)(?:\/[\p{L}\p{N}_.-]+)+/gu, '<path>')
    .replace(/(?:\/[\p{L}\p{N}_-]+)+\/[\p{L}\p{N}_-]+\.[\p{L}\p{N}_]+/gu, '<path>')
    .trim()
}
