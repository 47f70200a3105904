import { type Job, WaitingError, Worker } from 'bullmq'
import { StopRequested } from '../kernel/errors.js'
import type { QueuedJob } from './bullmq-job-queue.js'
import { backoffMs, JOB_CANCELED, LOCK_LOST } from './job-disposition.js'
import type { JobWorkerOptions } from './job-worker-options.js'
import { runAttempt } from './run-attempt.js'
import { RunningAttempts } from './running-attempts.js'

/** The running worker of one stage. */
export interface JobWorker {
  /** Aborts the job if this process runs it; false otherwise. */
  cancel(jobId: string): boolean
  /** Jobs that this process runs now. */
  readonly running: readonly string[]
  /**
   * Takes no new job, and hands back the running ones after a last checkpoint of each. Resolves
   * when all are handed back.
   */
  drain(): Promise<void>
  /** Like `drain`, without waiting: a job that isn't handed back is found once its lock expires. */
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
    // BullMQ's limit is off: it counts a killed worker against all its jobs, and never counts down
    // after progress. `try-count.ts` decides instead.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    settings: {
      // Used where the end of an attempt could not be written to the queue; `run-attempt.ts` sets
      // the delay of all other attempts.
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
  // A failure to start is reported by the `error` event above.
  worker.waitUntilReady().then(onReady, () => {})
  const stop = async (isUrgent: boolean) => {
    // A worker that Redis has never answered runs no job: it is closed by force, because a normal
    // close would wait for that answer.
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

/** Puts a job back into the queue that this worker has taken and not begun. */
async function takeAgain(
  { observer }: JobWorkerOptions,
  job: Job<QueuedJob>,
  token: string,
): Promise<never> {
  try {
    await job.moveToWait(token)
  } catch (error) {
    // A job that can't be moved stays active until its lock expires; then it is found stalled.
    observer.trouble(error instanceof Error ? error : new Error(String(error)))
  }
  throw new WaitingError()
}

function stopped(): StopRequested {
  return new StopRequested('internal', 'This worker is stopping.')
}
