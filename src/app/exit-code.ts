import { AssertionError } from 'node:assert'
import {
  CapacityError,
  ConfigError,
  InputError,
  isStop,
  NightscribeError,
  ProtocolError,
  reasonOf,
  UpstreamError,
} from '../kernel/errors.js'
import { printable } from './printable.js'

/** Exit codes of the command line. Scripts rely on them: never change a number. */
export const EXIT = { done: 0, input: 1, config: 2, bug: 70, tryLater: 75, stopped: 130 } as const

/** Exit code of the process after this error. The only mapping from error classes to exit codes. */
export function exitCodeOf(error: unknown): number {
  if (isStop(error)) return EXIT.stopped
  if (error instanceof ConfigError) return EXIT.config
  if (error instanceof InputError) return EXIT.input
  if (error instanceof CapacityError || error instanceof UpstreamError) return EXIT.tryLater
  if (error instanceof ProtocolError) return EXIT.bug
  return EXIT.bug
}

/** One sentence about the error for the terminal, with its code; the stack only when `verbose`. */
export function sentenceOf(error: unknown, verbose: boolean): string {
  const stack = verbose && error instanceof Error ? `\n${error.stack ?? ''}` : ''
  if (error instanceof InputError) return `${printable(error.message)} [${error.code}]${stack}`
  if (error instanceof NightscribeError) return `${error.message} [${error.code}]${stack}`
  const what = error instanceof AssertionError ? 'An invariant was broken' : 'Unexpected'
  const hint = verbose ? '' : ' Run it again with --verbose for the details.'
  return `${what}: ${reasonOf(error)}. This is a bug in Nightscribe.${hint} [internal]${stack}`
}
