import type { Redis } from 'ioredis'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import type { Attempt, AttemptEnd, Stage } from './index.js'

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
  checkpointedAudioMs(jobId: string): Promise<number>
  /**
   * Number of the last try of a job that got to work and didn't only wait for room; null where
   * every one does.
   */
  begun?(jobId: string): Promise<number | null>
  /** Called when a try begins whose job has lost its worker, so many times without progress. */
  onTakenOver(
    jobId: string,
    seen: { takeovers: number; checkpointedAudioMs: number },
  ): Promise<void>
  /** Called once a try has ended otherwise than well, before the queue is told. */
  onEnded(jobId: string, end: AttemptEnd): Promise<void>
  /** A try ended with an error that is nobody's but ours. */
  onBug(jobId: string, thrown: unknown): void
  /** Trouble of the queue itself; it goes on by itself. */
  onError(error: Error): void
}
