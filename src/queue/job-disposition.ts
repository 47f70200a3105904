import { AssertionError } from 'node:assert'
import {
  CapacityError,
  isStop,
  NightscribeError,
  reasonOf,
  StopRequested,
} from '../kernel/errors.js'
import type { FailureClass } from './contract/failure-codes.js'
import type { JobError, JobWaiting, Stage } from './index.js'

/**
 * What becomes of a job whose attempt ended with an error. The one place where classes meet the
 * queue; what each code means to people is in `failure-codes.ts`, the exit codes in
 * `app/exit-code.ts`.
 */
export type Disposition =
  /** Nothing more happens by itself. `isBug`: an error that no part of ours classified. */
  | { kind: 'fail'; error: JobError; isBug: boolean }
  /** Another attempt from the checkpoint, while the count of attempts allows one. */
  | { kind: 'retry'; error: JobError }
  /** There is no room now: the job comes back after this time, and no attempt is counted. */
  | { kind: 'wait'; retryAfterMs: number; waiting: JobWaiting }
  /** Somebody canceled the job. */
  | { kind: 'cancel' }
  /** This worker stops or has lost the job: another takes it from where it is. */
  | { kind: 'hand-back' }

/** What the queue does after an error of each class. A stop is none; see `dispositionOf`. */
export const CLASS_RULES: Readonly<Record<FailureClass, 'fail' | 'retry' | 'wait'>> = {
  InputError: 'fail',
  CapacityError: 'wait',
  UpstreamError: 'retry',
  // What an operator can mend (a key, a model) shall not cost the job its life at once.
  ConfigError: 'retry',
  // Of an engine, for which the next session is another peer; see `isHopeless`.
  ProtocolError: 'retry',
}

/**
 * The reason with which a cancel stops an attempt. Known by identity: our parts stop each other
 * with reasons of the same class, and none of those may end a job.
 */
export const JOB_CANCELED = new StopRequested('canceled', 'The job was canceled.')

/** The reason with which an attempt stops whose job the queue has given away. */
export const LOCK_LOST = new StopRequested('internal', 'The queue gave this job to another worker.')

/** @param signal of the attempt; once it has aborted, that alone decides */
export function dispositionOf(
  thrown: unknown,
  { stage, signal }: { stage: Stage; signal: AbortSignal },
): Disposition {
  const stopped = signal.aborted ? signal.reason : thrown
  if (stopped === JOB_CANCELED) return { kind: 'cancel' }
  if (signal.aborted) return { kind: 'hand-back' }
  if (thrown instanceof CapacityError) {
    const { retryAfterMs, place, expectedStartAtMs, message: reason } = thrown
    return { kind: 'wait', retryAfterMs, waiting: { place, expectedStartAtMs, reason } }
  }
  if (isStop(thrown)) {
    const detail = `A part that the try needed was stopped: ${thrown.message}`
    return { kind: 'retry', error: { code: 'internal', detail, retryable: true, stage } }
  }
  if (!(thrown instanceof NightscribeError)) {
    const what = thrown instanceof AssertionError ? 'An invariant was broken' : 'Unexpected'
    const detail = `${what}: ${reasonOf(thrown)}. This is a bug in Nightscribe.`
    const error: JobError = { code: 'internal', detail, retryable: false, stage }
    return { kind: 'fail', error, isBug: true }
  }
  const retryable = ruleFor(thrown) === 'retry' && !isHopeless(thrown)
  const error: JobError = { code: thrown.code, detail: thrown.message, retryable, stage }
  return retryable ? { kind: 'retry', error } : { kind: 'fail', error, isBug: false }
}

function ruleFor({ name }: NightscribeError): 'fail' | 'retry' | 'wait' {
  return CLASS_RULES[name as FailureClass] ?? 'fail'
}

/** A document in storage that isn't what we write stays so, however often it is read. */
function isHopeless({ name, code }: NightscribeError): boolean {
  return name === 'ProtocolError' && code !== 'engine_protocol'
}

/**
 * Wait before attempt `number + 1`: doubling from `backoffMs` up to `backoffMaxMs`, less up to a
 * third by chance so that many jobs don't come back in one instant.
 */
export function backoffMs(
  number: number,
  limits: { backoffMs: number; backoffMaxMs: number },
  uniform: () => number,
): number {
  const fullMs = Math.min(limits.backoffMaxMs, limits.backoffMs * 2 ** Math.min(number - 1, 30))
  return Math.round(fullMs * (1 - uniform() / 3))
}
