import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq'
import { abortedWithin, orAbort, unstopped } from '../kernel/abort.js'
import { redisFailure } from '../redis/redis-failure.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import type { AttemptEnd, JobError, JobRecord } from './index.js'
import {
  backoffMs,
  type Disposition,
  dispositionOf,
  JOB_CANCELED,
  LOCK_LOST,
} from './job-disposition.js'
import type { JobWorkerOptions } from './job-worker-options.js'
import {
  countBegun,
  countFailed,
  countTold,
  NO_TRIES,
  type TryCount,
  tryCount,
} from './try-count.js'

/** Times that a job may lose its worker without progress before it is failed. */
export const TAKEOVERS_MAX = 5

/** Time in ms after which a Redis that has not answered counts as unavailable. */
const REDIS_ANSWER_MS = 2_000

/** A job that this worker has taken, with the token of its lock. */
interface HeldJob {
  job: Job<QueuedJob>
  token: string
  signal: AbortSignal
}

/**
 * One run of a job's stage, and what the queue does with the job afterwards: BullMQ learns it from
 * the error that is thrown. Attempts and lost workers are counted in `try-count.ts`, as BullMQ's
 * counters know nothing of progress. What people see is written before the job is moved: after
 * that, another worker may run it at once.
 */
export async function runAttempt(options: JobWorkerOptions, held: HeldJob): Promise<void> {
  const { signal } = held
  const { jobId } = held.job.data
  try {
    signal.throwIfAborted()
    const record = await options.jobStore.get(jobId, { signal })
    const count = await beginTry(options, held, record)
    if (count.takeovers > TAKEOVERS_MAX) {
      const error = diedTooOften(options, count.takeovers)
      await unlessLost(options, held)
      await endFailed(options, held, { error, failures: count.takeovers, record })
    }
    const assertOwned = async () => {
      signal.throwIfAborted()
      if (!(await orAbort(isOurs(options, held), signal))) throw LOCK_LOST
    }
    const isOwned = () => mayBeOurs(held, options)
    const { failuresSinceProgress } = count
    await options.run({ jobId, failuresSinceProgress, signal, assertOwned, isOwned }, record)
  } catch (thrown) {
    if (thrown instanceof UnrecoverableError || thrown instanceof WaitingError) throw thrown
    await endTry(options, held, dispositionOf(thrown, { stage: options.stage, signal }), thrown)
  }
}

async function beginTry(
  options: JobWorkerOptions,
  held: HeldJob,
  record: JobRecord | null,
): Promise<TryCount> {
  const { job, signal } = held
  const before = countOf(job)
  const checkpointedAudioMs = record?.checkpointedAudioMs ?? 0
  const begun = begunOf(options, record)
  const count = countBegun(before, { stalls: job.stalledCounter, begun, checkpointedAudioMs })
  if (count.stallsSeen > before.stallsSeen) {
    await writeTries(options, held, count)
    const { takeovers } = count
    const wasAtWork = begun === null || begun > before.begunSeen
    const entry = { kind: 'taken-over', takeovers, checkpointedAudioMs } as const
    if (wasAtWork) await options.jobStore.appendHistory(job.data.jobId, entry, { signal })
  }
  return count
}

/**
 * The fence of the last attempt that got to work. A transcription draws its fence when it has its
 * sessions, and may only have waited before; an analysis works from the start: null.
 */
function begunOf({ stage }: JobWorkerOptions, record: JobRecord | null): number | null {
  return stage === 'transcribe' ? (record?.fence ?? 0) : null
}

async function endTry(
  options: JobWorkerOptions,
  held: HeldJob,
  disposition: Disposition,
  thrown: unknown,
): Promise<void> {
  const { jobId } = held.job.data
  if (disposition.kind === 'fail' && disposition.isBug) options.observer.bug(jobId, thrown)
  // Only the worker that owns a job may write how it ended.
  await unlessLost(options, held)
  if (disposition.kind === 'hand-back') return await handBack(options, held)
  const record = await options.jobStore.get(jobId, unstopped())
  switch (disposition.kind) {
    case 'fail': {
      const failures = countOf(held.job).failuresSinceProgress + 1
      return await endFailed(options, held, { error: disposition.error, failures, record })
    }
    case 'cancel':
      await options.writeEnd(jobId, { kind: 'canceled' }, record, unstopped())
      throw new UnrecoverableError('canceled')
    case 'retry':
      return await tryAgain(options, held, { error: disposition.error, record })
    case 'wait': {
      const { retryAfterMs: delayMs, waiting } = disposition
      const end = { kind: 'waiting', waiting } as const
      return await comeBackLater(options, held, { delayMs, end, record })
    }
  }
}

/** Puts the job back into the queue, so that another worker can take it at once. */
async function handBack(options: JobWorkerOptions, held: HeldJob): Promise<never> {
  const { job, token } = held
  const { jobId } = job.data
  const trouble = troubleOf(options)
  const record = await options.jobStore.get(jobId, unstopped()).catch(trouble)
  const end = { kind: 'handed-back' } as const
  await options.writeEnd(jobId, end, record ?? null, unstopped()).catch(trouble)
  await tellBegun(options, held, record ?? null).catch(trouble)
  await job.moveToWait(token).catch(trouble)
  throw new WaitingError()
}

/** Writes that the end of this attempt is known: it is not counted as lost with its worker. */
async function tellBegun(
  options: JobWorkerOptions,
  held: HeldJob,
  record: JobRecord | null,
): Promise<void> {
  const before = countOf(held.job)
  const tries = countTold(before, begunOf(options, record))
  if (tries.begunSeen > before.begunSeen) await writeTries(options, held, tries)
}

/**
 * Writes the count into the queue's entry.
 * @throws WaitingError where another worker owns the job or it is gone, as after a long sleep of
 *   this process; UpstreamError `queue_unavailable`
 */
async function writeTries(
  options: JobWorkerOptions,
  held: HeldJob,
  tries: TryCount,
): Promise<void> {
  try {
    await held.job.updateData({ jobId: held.job.data.jobId, tries })
  } catch (error) {
    await unlessLost(options, held)
    throw redisFailure(error)
  }
}

/** Starts another attempt after a wait, or fails the job at `attemptsMax` failures. */
async function tryAgain(
  options: JobWorkerOptions,
  held: HeldJob,
  { error, record }: { error: JobError; record: JobRecord | null },
): Promise<void> {
  const checkpointedAudioMs = record?.checkpointedAudioMs ?? 0
  const failed = countFailed(countOf(held.job), checkpointedAudioMs)
  const tries = countTold(failed, begunOf(options, record))
  const { failuresSinceProgress } = tries
  if (failuresSinceProgress >= options.attemptsMax) {
    return await endFailed(options, held, { error, failures: failuresSinceProgress, record })
  }
  await writeTries(options, held, tries)
  const delayMs = backoffMs(failuresSinceProgress, options, () => options.random.uniform())
  const counted = { failuresSinceProgress, backoffMs: delayMs, checkpointedAudioMs }
  const end = { kind: 'retrying', error, ...counted } as const
  await comeBackLater(options, held, { delayMs, end, record })
}

/** Fails the job and removes it from the queue. @throws UnrecoverableError, which tells BullMQ */
async function endFailed(
  options: JobWorkerOptions,
  held: HeldJob,
  how: { error: JobError; failures: number; record: JobRecord | null },
): Promise<never> {
  const { error, failures: failuresSinceProgress, record } = how
  const end = { kind: 'failed', error, failuresSinceProgress } as const
  await options.writeEnd(held.job.data.jobId, end, record, unstopped())
  throw new UnrecoverableError(error.code)
}

/**
 * Delays the job for `delayMs`, unless it is promoted before. BullMQ counts no attempt for this.
 */
async function comeBackLater(
  options: JobWorkerOptions,
  held: HeldJob,
  { delayMs, end, record }: { delayMs: number; end: AttemptEnd; record: JobRecord | null },
): Promise<never> {
  const { job, token, signal } = held
  const trouble = troubleOf(options)
  await options.writeEnd(job.data.jobId, end, record, unstopped()).catch(trouble)
  const dueMs = Math.ceil(options.clock.wallMs() + delayMs)
  await job.moveToDelayed(dueMs, token).catch(trouble)
  // A job that was canceled meanwhile is promoted, so that its next attempt ends it at once. It may
  // be gone already, and that is no failure.
  if (signal.reason === JOB_CANCELED) await job.promote().catch(() => {})
  throw new DelayedError()
}

/**
 * Reports an error of the queue and goes on: a job that can't be moved stays active until its lock
 * expires, and then another worker is given it.
 */
function troubleOf({ observer }: JobWorkerOptions): (error: unknown) => void {
  return (error) => observer.trouble(error instanceof Error ? error : new Error(String(error)))
}

/**
 * Checked before an end is written: only the worker that owns a job may say how it ended.
 * @throws WaitingError, which leaves the job to the worker that owns it
 */
async function unlessLost(options: JobWorkerOptions, held: HeldJob): Promise<void> {
  if (!(await isOurs(options, held))) throw new WaitingError()
}

async function isOurs(options: JobWorkerOptions, { job, token }: HeldJob): Promise<boolean> {
  const extended = await job.extendLock(token, options.lockDurationMs).catch(() => 0)
  return Boolean(extended)
}

/**
 * Whether this worker may still own the job. True while Redis doesn't answer within 2 s: for the
 * time of a lock no other worker can have taken it. Without that limit the call would wait until
 * Redis is back.
 */
async function mayBeOurs({ job, token, signal }: HeldJob, options: JobWorkerOptions) {
  if (signal.reason === LOCK_LOST) return false
  const answered = job.extendLock(token, options.lockDurationMs)
  const waiting = abortedWithin(REDIS_ANSWER_MS, unstopped().signal)
  return await orAbort(answered, waiting).then(Boolean, () => true)
}

function countOf({ data }: Job<QueuedJob>): TryCount {
  const parsed = tryCount.safeParse(data.tries)
  // Another release wrote the count: it begins at 0 again.
  return parsed.success ? parsed.data : NO_TRIES
}

function diedTooOften({ stage }: JobWorkerOptions, times: number): JobError {
  const detail =
    `The worker died ${times} times in a row while it had this recording, ` +
    'and no audio was made safe between; it is set aside.'
  return { code: 'worker_lost', detail, retryable: true, stage }
}
