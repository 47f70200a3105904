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
  /** Read once when a try begins, and once when it has ended otherwise than well. */
  jobStore: Pick<JobStore, 'get' | 'appendHistory'>
  /**
   * Does the work. What it throws is mapped by `dispositionOf`.
   * @param record as the try found it; null where Redis has none
   */
  run(attempt: Attempt, record: JobRecord | null): Promise<void>
  /**
   * Writes down how a try ended that did not end well, before the queue is told.
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
  /** A try ended with an error that is nobody's but ours. */
  bug(jobId: string, thrown: unknown): void
  /** Trouble of the queue itself; it goes on by itself. */
  trouble(error: Error): void
}
