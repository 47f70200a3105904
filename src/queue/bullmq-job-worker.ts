import { setMaxListeners } from 'node:events'
import { type Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Clock } from '../kernel/clock.js'
import { StopRequested } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import type { Attempt, AttemptEnd, Stage } from './index.js'
import { backoffMs, JOB_CANCELED } from './job-disposition.js'
import { LOCK_LOST, runAttempt } from './run-attempt.js'

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
  const running = new Map<string, AbortController>()
  let stopping = false
  const process = async (job: Job<QueuedJob>, token = '', signal?: AbortSignal) => {
    const controller = new AbortController()
    setMaxListeners(0, controller.signal) // its lanes listen, and all engines that it asks
    const onLost = () => controller.abort(LOCK_LOST)
    signal?.addEventListener('abort', onLost, { once: true })
    running.set(job.data.jobId, controller)
    if (stopping) controller.abort(stopped()) // fetched in the very moment of the stop
    try {
      await runAttempt(options, { job, token, signal: controller.signal })
    } finally {
      // After a lost lock this worker may have taken the job again already.
      if (running.get(job.data.jobId) === controller) running.delete(job.data.jobId)
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
      // For tries whose end could not even be told to the queue; all others wait as we say.
      backoffStrategy: (number) => backoffMs(number, options, () => options.random.uniform()),
    },
  })
  worker.on('error', options.onError)
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const jobId of jobIds) running.get(jobId)?.abort(LOCK_LOST)
  })
  const stop = async (isUrgent: boolean) => {
    stopping = true
    const closed = worker.close(isUrgent)
    for (const controller of running.values()) controller.abort(stopped())
    await closed
  }
  return {
    cancel(jobId) {
      const controller = running.get(jobId)
      controller?.abort(JOB_CANCELED)
      return controller !== undefined
    },
    drain: () => stop(false),
    abort: () => stop(true),
  }
}

function stopped(): StopRequested {
  return new StopRequested('internal', 'This worker is stopping.')
}
