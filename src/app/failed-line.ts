import { NightscribeError, reasonOf } from '../kernel/errors.js'
import { exitCodeOf } from './exit-code.js'

/** Value of `event` in that line. */
export const FAILED_EVENT = 'failed'

/** What a program of ours prints on stdout when it can't start. */
export function failedLine(error: unknown): string {
  const code = error instanceof NightscribeError ? error.code : 'internal'
  const exit_code = exitCodeOf(error)
  return JSON.stringify({ event: FAILED_EVENT, exit_code, code, message: reasonOf(error) })
}
