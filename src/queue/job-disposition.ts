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
 * What the queue does with a job whose attempt ended with an error. Only this file maps classes of
 * errors to the queue; what each code means to people is in `failure-codes.ts`, and exit codes are
 * in `app/exit-code.ts`.
 */
export type Disposition =
  /** The job ends as failed. `isBug`: the error has no class of ours. */
  | { kind: 'fail'; error: JobError; isBug: boolean }
  /** Another attempt from the checkpoint, while the count of attempts allows one. */
  | { kind: 'retry'; error: JobError }
  /** There is no room now: the job comes back after this time, and no attempt is counted. */
  | { kind: 'wait'; retryAfterMs: number; waiting: JobWaiting }
  /** The job ends as canceled. */
  | { kind: 'cancel' }
  /** This worker stops or has lost the job: another worker continues it. */
  | { kind: 'hand-back' }

/** What the queue does after an error of each class. A stop has no rule; see `dispositionOf`. */
export const CLASS_RULES: Readonly<Record<FailureClass, 'fail' | 'retry' | 'wait'>> = {
  InputError: 'fail',
  CapacityError: 'wait',
  UpstreamError: 'retry',
  // An operator can correct a setting (a key, a model): the job is not failed at once for it.
  ConfigError: 'retry',
  // An engine broke the protocol, and the next session may reach another one. For our own documents
  // see `isHopeless`.
  ProtocolError: 'retry',
}

/**
 * The reason with which a cancel stops an attempt. It is compared by identity: parts of an attempt
 * stop each other with reasons of the same class, and none of those may cancel the job.
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
    const detail = `A part that the attempt needed was stopped: ${thrown.message}`
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

/** Whether a retry is useless: a document in storage that can't be read stays so. */
function isHopeless({ name, code }: NightscribeError): boolean {
  return name === 'ProtocolError' && code !== 'engine_protocol'
}

/**
 * Wait before attempt `number + 1`: doubling from `backoffMs` up to `backoffMaxMs`, less up to a
 * third by chance, so that jobs that failed together don't come back together. In ms.
 */
export function backoffMs(
  number: number,
  limits: { backoffMs: number; backoffMaxMs: number },
  uniform: () => number,
): number {
  const fullMs = Math.min(limits.backoffMaxMs, limits.backoffMs * 2 ** Math.min(number - 1, 30))
  return Math.round(fullMs * (1 - uniform() / 3))
}
