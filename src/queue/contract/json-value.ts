/** The value of a text that may be JSON; undefined, which no schema accepts, where it isn't. */
export function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the schema says what it should have been
  }
}
