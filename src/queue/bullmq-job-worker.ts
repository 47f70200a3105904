import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Clock } from '../kernel/clock.js'
import {
  CapacityError,
  InputError,
  NightscribeError,
  reasonOf,
  StopRequested,
} from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import type { Attempt, AttemptEnd, JobWaiting, Stage } from './index.js'
import { backoffMs, CANCEL_CODE, dispositionOf } from './job-disposition.js'

/** Times a job may lose its worker without progress before it is set aside. */
const TAKEOVERS_MAX = 5

/** How one stage is worked off by this process. */
export interface JobWorkerOptions {
  redis: Redis
  prefix: string
  stage: Stage
  /** Jobs of this stage at once in this process. */
  concurrency: number
  lockDurationMs: number
  stalledIntervalMs: number
  backoffMs: number
  backoffMaxMs: number
  clock: Clock
  random: Random
  /** Does the work. What it throws is mapped by `dispositionOf`. */
  run(attempt: Attempt): Promise<void>
  /** Called once a try has ended otherwise than well, before the queue is told. */
  onEnded(jobId: string, end: AttemptEnd): Promise<void>
  /** Trouble of the queue itself; it goes on by itself. */
  onError(error: Error): void
}

/** A stage being worked off. */
export interface JobWorker {
  /** Aborts the job if this process runs it; false otherwise. */
  cancel(jobId: string): boolean
  /** Takes nothing new; resolves when what runs has ended. */
  drain(): Promise<void>
  /** Takes nothing new and hands back what runs; resolves when all is handed back. */
  abort(): Promise<void>
}

/** Starts taking jobs of one stage. */
export function startJobWorker(options: JobWorkerOptions): JobWorker {
  const running = new Map<string, AbortController>()
  let stopping = false
  const process = async (job: Job<QueuedJob>, token = '', signal?: AbortSignal) => {
    const controller = new AbortController()
    const onLost = () => controller.abort(lostLock())
    signal?.addEventListener('abort', onLost, { once: true })
    running.set(job.data.jobId, controller)
    if (stopping) controller.abort(stopped()) // fetched in the very moment of the stop
    try {
      await runAttempt(options, job, token, controller.signal)
    } finally {
      running.delete(job.data.jobId)
      signal?.removeEventListener('abort', onLost)
    }
  }
  const worker = new Worker<QueuedJob>(options.stage, process, {
    connection: options.redis,
    prefix: options.prefix,
    concurrency: options.concurrency,
    lockDuration: options.lockDurationMs,
    stalledInterval: options.stalledIntervalMs,
    // Each kill of a worker counts for all its jobs, and the count never falls: our own rules
    // decide.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    settings: {
      backoffStrategy: (number) => backoffMs(number, options, () => options.random.uniform()),
    },
  })
  worker.on('error', options.onError)
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const jobId of jobIds) running.get(jobId)?.abort(lostLock())
  })
  return {
    cancel(jobId) {
      const controller = running.get(jobId)
      controller?.abort(new StopRequested(CANCEL_CODE, 'The job was canceled.'))
      return controller !== undefined
    },
    drain: () => worker.close(),
    abort: async () => {
      stopping = true
      const closed = worker.close()
      for (const controller of running.values()) controller.abort(stopped())
      await closed
    },
  }
}

/** @NOTE a class of its own would be retried; the recording itself is the suspect here. */
function diedTooOften(times: number): InputError {
  return new InputError(
    'internal',
    `The worker died ${times} times in a row while it had this recording; it is set aside. Look at the recording, then \`nightscribe jobs retry\`.`,
    { facts: { times } },
  )
}

function stopped(): StopRequested {
  return new StopRequested('internal', 'This worker is stopping.')
}

function lostLock(): StopRequested {
  return new StopRequested('internal', 'The queue gave this job to another worker.')
}

async function runAttempt(
  options: JobWorkerOptions,
  job: Job<QueuedJob>,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const { jobId } = job.data
  const number = job.attemptsMade + 1
  const last = number >= (job.opts.attempts ?? 1)
  try {
    signal.throwIfAborted()
    if (job.stalledCounter > TAKEOVERS_MAX) throw diedTooOften(job.stalledCounter)
    const assertOwned = async () => {
      signal.throwIfAborted()
      const extended = await job.extendLock(token, options.lockDurationMs).catch(() => 0)
      if (!extended) throw lostLock()
    }
    await options.run({ jobId, number, last, signal, assertOwned })
  } catch (thrown) {
    // Whoever is told to stop while it finds no room does not wait.
    const why = thrown instanceof CapacityError && signal.aborted ? signal.reason : thrown
    const disposition = dispositionOf(why, options.stage, last)
    switch (disposition.kind) {
      case 'fail':
        await options.onEnded(jobId, { kind: 'failed', error: disposition.error })
        throw new UnrecoverableError(disposition.error.code)
      case 'cancel':
        await options.onEnded(jobId, { kind: 'canceled' })
        throw new UnrecoverableError(CANCEL_CODE)
      case 'retry':
        await options.onEnded(jobId, { kind: 'retrying', error: disposition.error })
        throw thrown instanceof NightscribeError ? thrown : new Error(reasonOf(thrown))
      case 'wait':
        await comeBackLater(options, job, token, { ...disposition, signal })
        throw new DelayedError()
      case 'hand-back': {
        // With a lost lock this fails, and rightly so: then the job is another worker's.
        const ours = await job.moveToWait(token).then(
          () => true,
          () => false,
        )
        if (ours) await options.onEnded(jobId, { kind: 'handed-back' })
        throw new WaitingError()
      }
    }
  }
}

/**
 * Gives up the job's place before the workers until its time comes or somebody promotes it. BullMQ
 * counts no attempt for this. What people see is written first: once it is moved, another worker
 * may run it at once.
 */
async function comeBackLater(
  options: JobWorkerOptions,
  job: Job<QueuedJob>,
  token: string,
  wait: { retryAfterMs: number; waiting: JobWaiting; signal: AbortSignal },
): Promise<void> {
  const ours = await job.extendLock(token, options.lockDurationMs).catch(() => 0)
  if (!ours) return // it is another worker's
  // A job that can't be moved keeps its place until its lock expires; then it is found stalled.
  const trouble = (error: unknown) =>
    options.onError(error instanceof Error ? error : new Error(String(error)))
  await options.onEnded(job.data.jobId, { kind: 'waiting', waiting: wait.waiting }).catch(trouble)
  const dueMs = Math.ceil(options.clock.wallMs() + wait.retryAfterMs)
  await job.moveToDelayed(dueMs, token).catch(trouble)
  // Canceled meanwhile: its next attempt ends it. Where it is gone already, the better.
  if (wait.signal.aborted) await job.promote().catch(() => {})
}
