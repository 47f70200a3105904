import { ErrorCode, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { reasonOf, UpstreamError } from '../kernel/errors.js'
import { type JobQueue, STAGES, type Stage } from './index.js'

/** Highest `priority` a user may give. */
export const PRIORITY_MAX = 1000

/** What lies in BullMQ of a job: nothing but its id; all else is in storage. */
export interface QueuedJob {
  jobId: string
}

/**
 * The producer side. Entries are removed when they end, so that a job that failed can be queued
 * again under its id; what became of it stands on the board and in storage.
 */
export class BullmqJobQueue implements JobQueue {
  private readonly queues: Readonly<Record<Stage, Queue<QueuedJob>>>
  private readonly attemptsMax: number

  constructor(options: { redis: Redis; prefix: string; attemptsMax: number }) {
    const open = (stage: Stage) => {
      const queue = new Queue<QueuedJob>(stage, {
        connection: options.redis,
        prefix: options.prefix,
      })
      queue.on('error', () => {}) // the connection's own listener reports it
      return queue
    }
    this.queues = { analyse: open('analyse'), transcribe: open('transcribe') }
    this.attemptsMax = options.attemptsMax
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
          attempts: this.attemptsMax,
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

  async close(): Promise<void> {
    await Promise.all(STAGES.map((stage) => this.queues[stage].close()))
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new UpstreamError('queue_unavailable', `The queue failed: ${reasonOf(cause)}.`, { cause })
  }
}
