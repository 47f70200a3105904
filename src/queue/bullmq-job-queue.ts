import { ErrorCode, Queue } from 'bullmq'
import type { CallOptions } from '../kernel/abort.js'
import type { RedisCommands } from '../redis/redis-commands.js'
import { PRIORITY_MAX } from './contract/submission-options.js'
import { type JobQueue, type QueueDepth, STAGES, type Stage } from './index.js'

/** BullMQ's states that a job can be in; what has ended is removed. */
const COUNTED = ['waiting', 'prioritized', 'active', 'delayed'] as const

/** What BullMQ stores of a job: its id, and how often it was tried; all else is in storage. */
export interface QueuedJob {
  jobId: string
  /** A `TryCount`; missing before the first attempt that fails. */
  tries?: unknown
}

/**
 * The producer side of the queue, in BullMQ. Entries are removed when they end, so that a job that
 * failed can be queued again under its id; how it ended is in its record and in storage.
 *
 * BullMQ's scripts have no deadline: a call that was reported as failed may still be executed. That
 * is harmless: an existing entry is not added twice, an entry for a job that has ended is
 * removed by the worker that takes it, and only a waiting entry can be promoted or removed.
 */
export class BullmqJobQueue implements JobQueue {
  private readonly commands: RedisCommands
  private readonly queues: Readonly<Record<Stage, Queue<QueuedJob>>>

  constructor(commands: RedisCommands) {
    this.commands = commands
    const open = (stage: Stage) => {
      const queue = new Queue<QueuedJob>(stage, {
        connection: commands.redis,
        prefix: commands.prefix,
      })
      // Errors of the connection are reported by its own listener.
      queue.on('error', () => {})
      return queue
    }
    this.queues = { analyse: open('analyse'), transcribe: open('transcribe') }
  }

  async enqueue(
    stage: Stage,
    jobId: string,
    { priority, signal }: CallOptions & { priority: number },
  ): Promise<void> {
    const add = () =>
      this.queues[stage].add(
        stage,
        { jobId },
        {
          jobId,
          // BullMQ serves lower numbers first, and 0 before all.
          priority: 1 + PRIORITY_MAX - priority,
          // BullMQ must not fail a job by its own count: `run-attempt.ts` decides.
          attempts: Number.MAX_SAFE_INTEGER,
          backoff: { type: 'custom' },
          removeOnComplete: true,
          removeOnFail: true,
        },
      )
    await this.commands.inTime(add, { signal })
  }

  async promote(stage: Stage, jobId: string, options: CallOptions): Promise<boolean> {
    return await this.commands.inTime(async () => {
      const job = await this.queues[stage].getJob(jobId)
      if (!job) return false
      try {
        await job.promote()
        return true
      } catch (error) {
        if ((error as { code?: unknown }).code === ErrorCode.JobNotInState) return false
        throw error
      }
    }, options)
  }

  async remove(jobId: string, options: CallOptions): Promise<boolean> {
    let removed = false
    for (const stage of STAGES) {
      removed = (await this.removeFrom(stage, jobId, options)) || removed
    }
    return removed
  }

  private async removeFrom(stage: Stage, jobId: string, options: CallOptions): Promise<boolean> {
    const { commands } = this
    const waiting = async () => {
      const job = await commands.inTime(() => this.queues[stage].getJob(jobId), options)
      return job && !(await commands.inTime(() => job.isActive(), options)) ? job : null
    }
    const job = await waiting()
    if (!job) return false
    try {
      await commands.inTime(() => job.remove(), options)
      return true
    } catch (error) {
      // A worker may have taken the job since it was read: its lock then refuses the removal.
      if (await waiting()) throw error
      return false
    }
  }

  async has(jobId: string, options: CallOptions): Promise<boolean> {
    for (const stage of STAGES) {
      if (await this.commands.inTime(() => this.queues[stage].getJob(jobId), options)) return true
    }
    return false
  }

  async depth(options: CallOptions): Promise<Record<Stage, QueueDepth>> {
    const of = async (stage: Stage): Promise<QueueDepth> => {
      const counts = await this.commands.inTime(
        () => this.queues[stage].getJobCounts(...COUNTED),
        options,
      )
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
