import { printable } from '../app/printable.js'

/** One line about a recording that failed: its name (once), the sentence and the code. */
export function errorLine(name: string, error: { code: string; detail: string }): string {
  const sentence = error.detail.includes(name) ? error.detail : `${name}: ${error.detail}`
  return printable(`${sentence} [${error.code}]`)
}
