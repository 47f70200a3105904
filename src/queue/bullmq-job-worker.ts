import { type Job, WaitingError, Worker } from 'bullmq'
import { StopRequested } from '../kernel/errors.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import { backoffMs, JOB_CANCELED, LOCK_LOST } from './job-disposition.js'
import type { JobWorkerOptions } from './job-worker-options.js'
import { runAttempt } from './run-attempt.js'
import { RunningAttempts } from './running-attempts.js'

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
      // For attempts whose end could not even be written to the queue; all others wait as we say.
      backoffStrategy: (number) => backoffMs(number, options, () => options.random.uniform()),
    },
  })
  worker.on('error', (error) => options.observer.trouble(error))
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const jobId of jobIds) attempts.abort(jobId, LOCK_LOST)
  })
  let isReady = false
  const onReady = () => {
    isReady = true
  }
  worker.waitUntilReady().then(onReady, () => {}) // where it fails, `trouble` is told of it
  const stop = async (isUrgent: boolean) => {
    // A worker that Redis has not answered yet runs no job, and closing would wait for that answer.
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
  { observer }: JobWorkerOptions,
  job: Job<QueuedJob>,
  token: string,
): Promise<never> {
  try {
    await job.moveToWait(token)
  } catch (error) {
    // It keeps its place until its lock expires; then it is found stalled.
    observer.trouble(error instanceof Error ? error : new Error(String(error)))
  }
  throw new WaitingError()
}

function stopped(): StopRequested {
  return new StopRequested('internal', 'This worker is stopping.')
}
