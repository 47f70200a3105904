import type { Redis } from 'ioredis'
import type { CallOptions } from '../kernel/abort.js'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import type { Attempt, AttemptEnd, JobRecord, JobStore, Stage } from './index.js'

/** How one stage is worked off by this process. */
export interface JobWorkerOptions {
  redis: Redis
  prefix: string
  stage: Stage
  /** Jobs of this stage at once in this process. */
  concurrency: number
  lockDurationMs: number
  stalledIntervalMs: number
  /** Failures since audio was last made safe, after which a job counts as failed. */
  attemptsMax: number
  /** Before the second attempt; doubled with each further failure, up to `backoffMaxMs`. */
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
   * Writes how an attempt ended that did not end well, before the queue moves the job.
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

/** What happens to the queue beside its jobs, for logs and metrics. Must not throw or wait. */
export interface QueueObserver {
  /** An attempt ended with a bug of ours. */
  bug(jobId: string, thrown: unknown): void
  /** Trouble of the queue itself; it goes on by itself. */
  trouble(error: Error): void
}
