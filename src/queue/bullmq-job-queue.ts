import { ErrorCode, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { redisFailure } from '../redis/redis-failure.js'
import { PRIORITY_MAX } from './contract/submission-options.js'
import { type JobQueue, type QueueDepth, STAGES, type Stage } from './index.js'

/** BullMQ's states that a job can be in; what has ended is removed. */
const COUNTED = ['waiting', 'prioritized', 'active', 'delayed'] as const

/** What lies in BullMQ of a job: its id, and how often it was tried; all else is in storage. */
export interface QueuedJob {
  jobId: string
  /** A `TryCount`; missing before the first try that fails. */
  tries?: unknown
}

/**
 * The producer side. Entries are removed when they end, so that a job that failed can be queued
 * again under its id; what became of it stands on the board and in storage.
 */
export class BullmqJobQueue implements JobQueue {
  private readonly queues: Readonly<Record<Stage, Queue<QueuedJob>>>

  constructor(options: { redis: Redis; prefix: string }) {
    const open = (stage: Stage) => {
      const queue = new Queue<QueuedJob>(stage, {
        connection: options.redis,
        prefix: options.prefix,
      })
      queue.on('error', () => {}) // the connection's own listener reports it
      return queue
    }
    this.queues = { analyse: open('analyse'), transcribe: open('transcribe') }
  }

  async enqueue(stage: Stage, jobId: string, options: { priority: number }): Promise<void> {
    await guarded(() =>
      this.queues[stage].add(
        stage,
        { jobId },
        {
          jobId,
          // BullMQ serves lower numbers first, and 0 before all.
          priority: 1 + PRIORITY_MAX - options.priority,
          attempts: Number.MAX_SAFE_INTEGER, // `run-attempt.ts` decides which was the last
          backoff: { type: 'custom' },
          removeOnComplete: true,
          removeOnFail: true,
        },
      ),
    )
  }

  async promote(stage: Stage, jobId: string): Promise<boolean> {
    return await guarded(async () => {
      const job = await this.queues[stage].getJob(jobId)
      if (!job) return false
      try {
        await job.promote()
        return true
      } catch (error) {
        if ((error as { code?: unknown }).code === ErrorCode.JobNotInState) return false
        throw error
      }
    })
  }

  async remove(jobId: string): Promise<boolean> {
    let removed = false
    for (const stage of STAGES) {
      const job = await guarded(() => this.queues[stage].getJob(jobId))
      if (!job || (await guarded(() => job.isActive()))) continue
      // A worker may take it in this very moment; then the lock makes remove() fail.
      removed =
        (await job.remove().then(
          () => true,
          () => false,
        )) || removed
    }
    return removed
  }

  async has(jobId: string): Promise<boolean> {
    for (const stage of STAGES) {
      if (await guarded(() => this.queues[stage].getJob(jobId))) return true
    }
    return false
  }

  async depth(): Promise<Record<Stage, QueueDepth>> {
    const of = async (stage: Stage): Promise<QueueDepth> => {
      const counts = await guarded(() => this.queues[stage].getJobCounts(...COUNTED))
      const sum = (...states: string[]) =>
        states.reduce((total, state) => total + (counts[state] ?? 0), 0)
      return {
        waiting: sum('waiting', 'prioritized'),
        active: sum('active'),
        delayed: sum('delayed'),
      }
    }
    const [analyse, transcribe] = await Promise.all([of('analyse'), of('transcribe')])
    return { analyse, transcribe }
  }

  async close(): Promise<void> {
    await Promise.all(STAGES.map((stage) => this.queues[stage].close()))
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw redisFailure(cause)
  }
}
