import type { Redis } from 'ioredis'
import type { CallOptions } from '../kernel/abort.js'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import type { Attempt, AttemptEnd, JobRecord, JobStore, Stage } from './index.js'

/** Options of the worker of one stage in this process. */
export interface JobWorkerOptions {
  redis: Redis
  prefix: string
  stage: Stage
  /** Jobs of this stage at once in this process. */
  concurrency: number
  lockDurationMs: number
  stalledIntervalMs: number
  /** Number of failures since audio was last made safe at which a job is failed. */
  attemptsMax: number
  /** Wait before the second attempt, in ms; doubled with each failure, up to `backoffMaxMs`. */
  backoffMs: number
  backoffMaxMs: number
  clock: Clock
  random: Random
  /** Read once when an attempt begins, and once when it has ended with an error. */
  jobStore: Pick<JobStore, 'get' | 'appendHistory'>
  /**
   * Does the work. What it throws is mapped by `dispositionOf`.
   * @param record as the attempt found it; null where Redis has none
   */
  run(attempt: Attempt, record: JobRecord | null): Promise<void>
  /**
   * Stores how an attempt ended that did not complete its stage, before the queue moves the job.
   * @param record as it is now; null where Redis has none
   */
  writeEnd(
    jobId: string,
    end: AttemptEnd,
    record: JobRecord | null,
    options: CallOptions,
  ): Promise<void>
  observer: QueueObserver
}

/** Receives bugs and errors of the queue itself, for logs and metrics. Must not throw or wait. */
export interface QueueObserver {
  /** An attempt ended with a bug of ours. */
  bug(jobId: string, thrown: unknown): void
  /** An error of the queue itself, such as a lost connection; the queue recovers without help. */
  trouble(error: Error): void
}
