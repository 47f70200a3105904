/** What JSON of anybody says; undefined, which no schema takes, where it is none. */
export function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the schema says what it should have been
  }
}
