import { type Job, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Clock } from '../kernel/clock.js'
import { StopRequested } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import type { Attempt, AttemptEnd, Stage } from './index.js'
import { backoffMs, JOB_CANCELED } from './job-disposition.js'
import { LOCK_LOST, runAttempt } from './run-attempt.js'
import { RunningAttempts } from './running-attempts.js'

/** How one stage is worked off by this process. */
export interface JobWorkerOptions {
  redis: Redis
  prefix: string
  stage: Stage
  /** Jobs of this stage at once in this process. */
  concurrency: number
  lockDurationMs: number
  stalledIntervalMs: number
  /** Tries in vain since audio was last made safe, after which a job counts as failed. */
  attemptsMax: number
  /** Before the second of them; doubled with each further one, up to `backoffMaxMs`. */
  backoffMs: number
  backoffMaxMs: number
  clock: Clock
  random: Random
  /** Does the work. What it throws is mapped by `dispositionOf`. */
  run(attempt: Attempt): Promise<void>
  /** Audio of the job (ms, all lanes together) that a new try needn't send again. */
  safeAudioMs(jobId: string): Promise<number>
  /**
   * Number of the last try of a job that got to work and didn't only wait for room; null where
   * every one does.
   */
  begun?(jobId: string): Promise<number | null>
  /** Called when a try begins whose job has lost its worker, so many times without progress. */
  onTakenOver(jobId: string, seen: { takeovers: number; safeAudioMs: number }): Promise<void>
  /** Called once a try has ended otherwise than well, before the queue is told. */
  onEnded(jobId: string, end: AttemptEnd): Promise<void>
  /** A try ended with an error that is nobody's but ours. */
  onBug(jobId: string, thrown: unknown): void
  /** Trouble of the queue itself; it goes on by itself. */
  onError(error: Error): void
}

/** A stage being worked off. */
export interface JobWorker {
  /** Aborts the job if this process runs it; false otherwise. */
  cancel(jobId: string): boolean
  /** Jobs that this process runs now. */
  readonly running: readonly string[]
  /**
   * Takes nothing new and hands back what runs, with what is done of it made safe; resolves when
   * all is handed back.
   */
  drain(): Promise<void>
  /** The same without waiting: what isn't handed back is found when its lock has expired. */
  abort(): Promise<void>
}

/** Starts taking jobs of one stage. */
export function startJobWorker(options: JobWorkerOptions): JobWorker {
  const attempts = new RunningAttempts()
  const process = async (job: Job<QueuedJob>, token = '', lost?: AbortSignal) => {
    const isRun = await attempts.run(job.data.jobId, async (controller) => {
      const onLost = () => controller.abort(LOCK_LOST)
      lost?.addEventListener('abort', onLost, { once: true })
      try {
        await runAttempt(options, { job, token, signal: controller.signal })
      } finally {
        lost?.removeEventListener('abort', onLost)
      }
    })
    if (!isRun) await takeAgain(options, job, token)
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
      // For tries whose end could not even be told to the queue; all others wait as we say.
      backoffStrategy: (number) => backoffMs(number, options, () => options.random.uniform()),
    },
  })
  worker.on('error', options.onError)
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const jobId of jobIds) attempts.abort(jobId, LOCK_LOST)
  })
  let isReady = false
  const onReady = () => {
    isReady = true
  }
  worker.waitUntilReady().then(onReady, () => {}) // where it fails, `onError` hears of it
  const stop = async (isUrgent: boolean) => {
    // One that Redis has not answered yet carries nothing, and would wait for that answer first.
    const isUnused = !isReady && attempts.jobIds.length === 0
    const closed = worker.close(isUrgent || isUnused)
    attempts.abortAll(stopped())
    await closed
  }
  return {
    cancel: (jobId) => attempts.abort(jobId, JOB_CANCELED),
    get running() {
      return attempts.jobIds
    },
    drain: () => stop(false),
    abort: () => stop(true),
  }
}

/** Puts a job before the workers that this one has taken and not begun. */
async function takeAgain(
  { onError }: JobWorkerOptions,
  job: Job<QueuedJob>,
  token: string,
): Promise<never> {
  try {
    await job.moveToWait(token)
  } catch (error) {
    // It keeps its place until its lock expires; then it is found stalled.
    onError(error instanceof Error ? error : new Error(String(error)))
  }
  throw new WaitingError()
}

function stopped(): StopRequested {
  return new StopRequested('internal', 'This worker is stopping.')
}
