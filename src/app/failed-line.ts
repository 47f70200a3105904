import { NightscribeError, reasonOf } from '../kernel/errors.js'
import { exitCodeOf } from './exit-code.js'

/** Value of `event` in the line that a program prints when it can't start. */
export const FAILED_EVENT = 'failed'

/**
 * The JSON line on stdout by which a worker or stand-in tells its parent process that it can't
 * start.
 */
export function failedLine(error: unknown): string {
  const code = error instanceof NightscribeError ? error.code : 'internal'
  const exit_code = exitCodeOf(error)
  return JSON.stringify({ event: FAILED_EVENT, exit_code, code, message: reasonOf(error) })
}
