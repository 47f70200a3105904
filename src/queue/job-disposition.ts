import { AssertionError } from 'node:assert'
import {
  CapacityError,
  isStop,
  NightscribeError,
  reasonOf,
  type StopRequested,
} from '../kernel/errors.js'
import type { JobError, JobWaiting, Stage } from './index.js'

/**
 * What becomes of a job whose try ended with an error. The one place where classes meet the queue.
 */
export type Disposition =
  /** Nothing more happens by itself. */
  | { kind: 'fail'; error: JobError }
  /** Another try, after `backoffMs`. */
  | { kind: 'retry'; error: JobError }
  /** There is no room now: it comes back after so long. No try, and no failure of anybody. */
  | { kind: 'wait'; retryAfterMs: number; waiting: JobWaiting }
  /** Somebody canceled the job. */
  | { kind: 'cancel' }
  /** This worker stops or has lost the job: another takes it from where it is. */
  | { kind: 'hand-back'; reason: StopRequested }

/** Code of the stop with which a cancel aborts an attempt. */
export const CANCEL_CODE = 'canceled'

/** @param last no try is left after this one */
export function dispositionOf(thrown: unknown, stage: Stage, last: boolean): Disposition {
  if (isStop(thrown)) {
    return thrown.code === CANCEL_CODE ? { kind: 'cancel' } : { kind: 'hand-back', reason: thrown }
  }
  if (thrown instanceof CapacityError) {
    const { retryAfterMs, place, expectedStartAtMs, message: reason } = thrown
    return { kind: 'wait', retryAfterMs, waiting: { place, expectedStartAtMs, reason } }
  }
  const error = describe(thrown, stage)
  if (!error.retryable || last) return { kind: 'fail', error }
  return { kind: 'retry', error }
}

function describe(thrown: unknown, stage: Stage): JobError {
  if (thrown instanceof NightscribeError) {
    // What an operator can mend (a key, a model) shall not cost the job its life at once.
    const retryable = thrown.retryable || thrown.name === 'ConfigError'
    return { code: thrown.code, detail: thrown.message, retryable, stage }
  }
  const what = thrown instanceof AssertionError ? 'An invariant was broken' : 'Unexpected'
  const detail = `${what}: ${reasonOf(thrown)}. This is a bug in Nightscribe.`
  return { code: 'internal', detail, retryable: false, stage }
}

/**
 * Wait before try `number + 1`: doubling from `backoffMs` up to `backoffMaxMs`, less up to a third
 * by chance so that many jobs don't come back in one instant.
 */
export function backoffMs(
  number: number,
  limits: { backoffMs: number; backoffMaxMs: number },
  uniform: () => number,
): number {
  const fullMs = Math.min(limits.backoffMaxMs, limits.backoffMs * 2 ** Math.min(number - 1, 30))
  return Math.round(fullMs * (1 - uniform() / 3))
}
