/** Parses a text that may be JSON. Where it isn't: undefined, which every schema refuses. */
export function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the schema reports what was expected
  }
}
