import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq'
import { abortedWithin, orAbort } from '../kernel/abort.js'
import { redisFailure } from '../redis/redis-failure.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import type { AttemptEnd, JobError } from './index.js'
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

/** Times a job may lose its worker without progress before it is set aside. */
export const TAKEOVERS_MAX = 5

/** Longer a Redis that is there doesn't take for a word. */
const REDIS_ANSWER_MS = 2_000

/** A job as this worker holds it. */
interface HeldJob {
  job: Job<QueuedJob>
  token: string
  signal: AbortSignal
}

/**
 * One run of a job, and what the queue does with it afterwards: BullMQ is told by what is thrown.
 * Tries and lost workers are counted by our own rule (`try-count.ts`), for BullMQ's counters know
 * nothing of progress. What people see is written before the queue is told: once the job is moved,
 * another worker may run it at once.
 */
export async function runAttempt(options: JobWorkerOptions, held: HeldJob): Promise<void> {
  const { signal } = held
  const { jobId } = held.job.data
  try {
    signal.throwIfAborted()
    const count = await beginTry(options, held)
    if (count.takeovers > TAKEOVERS_MAX) {
      await endFailed(options, held, diedTooOften(options, count.takeovers), count.takeovers)
    }
    const assertOwned = async () => {
      signal.throwIfAborted()
      if (!(await orAbort(isOurs(options, held), signal))) throw LOCK_LOST
    }
    const isOwned = () => mayBeOurs(held, options)
    const { failuresSinceProgress } = count
    await options.run({ jobId, failuresSinceProgress, signal, assertOwned, isOwned })
  } catch (thrown) {
    if (thrown instanceof UnrecoverableError || thrown instanceof WaitingError) throw thrown
    await endTry(options, held, dispositionOf(thrown, { stage: options.stage, signal }), thrown)
  }
}

async function beginTry(options: JobWorkerOptions, held: HeldJob): Promise<TryCount> {
  const { job } = held
  const { jobId } = job.data
  const before = countOf(job)
  const checkpointedAudioMs = await options.checkpointedAudioMs(jobId)
  const begun = await begunOf(options, jobId)
  const count = countBegun(before, { stalls: job.stalledCounter, begun, checkpointedAudioMs })
  if (count.stallsSeen > before.stallsSeen) {
    await writeTries(options, held, count)
    const { takeovers } = count
    const wasAtWork = begun === null || begun > before.begunSeen
    if (wasAtWork) await options.onTakenOver(jobId, { takeovers, checkpointedAudioMs })
  }
  return count
}

async function endTry(
  options: JobWorkerOptions,
  held: HeldJob,
  disposition: Disposition,
  thrown: unknown,
): Promise<void> {
  const { jobId } = held.job.data
  switch (disposition.kind) {
    case 'fail':
      if (disposition.isBug) options.onBug(jobId, thrown)
      return await endFailed(
        options,
        held,
        disposition.error,
        countOf(held.job).failuresSinceProgress + 1,
      )
    case 'cancel':
      await unlessLost(options, held)
      await options.onEnded(jobId, { kind: 'canceled' })
      throw new UnrecoverableError('canceled')
    case 'retry':
      return await tryAgain(options, held, disposition.error)
    case 'wait': {
      const { retryAfterMs, waiting } = disposition
      return await comeBackLater(options, held, retryAfterMs, { kind: 'waiting', waiting })
    }
    case 'hand-back':
      return await handBack(options, held)
  }
}

/** Another worker takes the job at once. With a lost lock it is another worker's already. */
async function handBack(options: JobWorkerOptions, held: HeldJob): Promise<never> {
  const { job, token } = held
  await unlessLost(options, held)
  const { jobId } = job.data
  await options.onEnded(jobId, { kind: 'handed-back' }).catch(troubleOf(options))
  await tellBegun(options, held).catch(troubleOf(options))
  await job.moveToWait(token).catch(troubleOf(options))
  throw new WaitingError()
}

/** Writes down that the try, if it got to work, was not lost with its worker. */
async function tellBegun(options: JobWorkerOptions, held: HeldJob): Promise<void> {
  const before = countOf(held.job)
  const tries = countTold(before, await begunOf(options, held.job.data.jobId))
  if (tries.begunSeen > before.begunSeen) await writeTries(options, held, tries)
}

/**
 * Writes the count into the queue's entry.
 * @throws what leaves the job to others where it is no longer ours: a worker that slept too long
 *   may find that it has ended and is gone; UpstreamError `queue_unavailable`
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

async function begunOf({ begun }: JobWorkerOptions, jobId: string): Promise<number | null> {
  return begun ? await begun(jobId) : null
}

/** The try failed with what may mend itself: another one after a wait, or the job is given up. */
async function tryAgain(options: JobWorkerOptions, held: HeldJob, error: JobError): Promise<void> {
  const { jobId } = held.job.data
  await unlessLost(options, held)
  const checkpointedAudioMs = await options.checkpointedAudioMs(jobId)
  const begun = await begunOf(options, jobId)
  const tries = countTold(countFailed(countOf(held.job), checkpointedAudioMs), begun)
  if (tries.failuresSinceProgress >= options.attemptsMax) {
    return await endFailed(options, held, error, tries.failuresSinceProgress)
  }
  await writeTries(options, held, tries)
  const waitMs = backoffMs(tries.failuresSinceProgress, options, () => options.random.uniform())
  await comeBackLater(options, held, waitMs, {
    ...{ kind: 'retrying', error, backoffMs: waitMs, checkpointedAudioMs },
    failuresSinceProgress: tries.failuresSinceProgress,
  })
}

/** Ends the job and takes it out of the queue. @throws what tells BullMQ so */
async function endFailed(
  options: JobWorkerOptions,
  held: HeldJob,
  error: JobError,
  failuresSinceProgress: number,
): Promise<never> {
  await unlessLost(options, held)
  await options.onEnded(held.job.data.jobId, {
    ...{ kind: 'failed', error, failuresSinceProgress },
  })
  throw new UnrecoverableError(error.code)
}

/**
 * Gives up the job's place before the workers until its time comes or somebody promotes it. BullMQ
 * counts no attempt for this.
 */
async function comeBackLater(
  options: JobWorkerOptions,
  held: HeldJob,
  delayMs: number,
  end: AttemptEnd,
): Promise<never> {
  const { job, token, signal } = held
  await unlessLost(options, held)
  const trouble = troubleOf(options)
  await options.onEnded(job.data.jobId, end).catch(trouble)
  const dueMs = Math.ceil(options.clock.wallMs() + delayMs)
  await job.moveToDelayed(dueMs, token).catch(trouble)
  // Canceled meanwhile: its next attempt ends it. Where it is gone already, the better.
  if (signal.reason === JOB_CANCELED) await job.promote().catch(() => {})
  throw new DelayedError()
}

/** A job that can't be moved keeps its place until its lock expires; then it is found stalled. */
function troubleOf({ onError }: JobWorkerOptions): (error: unknown) => void {
  return (error) => onError(error instanceof Error ? error : new Error(String(error)))
}

/** Nobody may say how a job ended that is another worker's. @throws what leaves it to that one */
async function unlessLost(options: JobWorkerOptions, held: HeldJob): Promise<void> {
  if (!(await isOurs(options, held))) throw new WaitingError()
}

async function isOurs(options: JobWorkerOptions, { job, token }: HeldJob): Promise<boolean> {
  const extended = await job.extendLock(token, options.lockDurationMs).catch(() => 0)
  return Boolean(extended)
}

/**
 * As far as anybody can tell: without Redis nobody else can have taken it either, for a while. A
 * command to a Redis that is away waits until it is back.
 */
async function mayBeOurs({ job, token, signal }: HeldJob, options: JobWorkerOptions) {
  if (signal.reason === LOCK_LOST) return false
  const answered = job.extendLock(token, options.lockDurationMs)
  const waiting = abortedWithin(REDIS_ANSWER_MS, new AbortController().signal)
  return await orAbort(answered, waiting).then(Boolean, () => true)
}

function countOf({ data }: Job<QueuedJob>): TryCount {
  const parsed = tryCount.safeParse(data.tries)
  return parsed.success ? parsed.data : NO_TRIES // an entry of another release begins anew
}

function diedTooOften({ stage }: JobWorkerOptions, times: number): JobError {
  const detail =
    `The worker died ${times} times in a row while it had this recording, ` +
    'and no audio was made safe between; it is set aside.'
  return { code: 'worker_lost', detail, retryable: true, stage }
}
