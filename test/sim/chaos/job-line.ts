import type { Job } from 'bullmq'
import type { Clock } from '../../../src/kernel/clock.js'
import type { QueuedJob } from '../../../src/queue/bullmq-job-queue.js'

/** After this without a renewal a job is another worker's. */
export const LOCK_MS = 10_000

/** One job in the queue. */
interface Entry {
  data: QueuedJob
  state: 'waiting' | 'delayed' | 'active'
  dueMs: number
  token: string
  lockUntilMs: number
  stalledCounter: number
}

/** A job that was taken. */
export interface TakenJob {
  jobId: string
  token: string
  job: Job<QueuedJob>
}

/**
 * The queue `transcribe` by the rules of BullMQ that matter here: a lock with a token that expires,
 * stalled jobs that go back to the front, delayed ones that come when they are due or promoted.
 */
export class JobLine {
  private readonly clock: Clock
  private readonly entries = new Map<string, Entry>()
  /** How often each job lost its worker, also before all was forgotten. */
  readonly losses = new Map<string, number>()
  private tokens = 0

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  /** All is forgotten. */
  clear(): void {
    this.entries.clear()
  }

  has(jobId: string): boolean {
    return this.entries.has(jobId)
  }

  /** Whose token holds it now; null where nobody's does. */
  holder(jobId: string): string | null {
    const entry = this.entries.get(jobId)
    return entry?.state === 'active' ? entry.token : null
  }

  enqueue(jobId: string): void {
    if (this.entries.has(jobId)) return
    const idle = { dueMs: 0, token: '', lockUntilMs: 0, stalledCounter: 0 }
    this.entries.set(jobId, { data: { jobId }, state: 'waiting', ...idle })
  }

  promote(jobId: string): boolean {
    const entry = this.entries.get(jobId)
    if (entry?.state !== 'delayed') return false
    entry.state = 'waiting'
    return true
  }

  /** The oldest one that may be taken. @param ask how its methods reach the queue */
  take(ask: <T>(call: () => Promise<T>) => Promise<T>): TakenJob | null {
    const nowMs = this.clock.wallMs()
    for (const [jobId, entry] of this.entries) {
      if (entry.state === 'delayed' && entry.dueMs <= nowMs) entry.state = 'waiting'
      if (entry.state !== 'waiting') continue
      this.tokens += 1
      const token = `token-${this.tokens}`
      Object.assign(entry, { state: 'active', token, lockUntilMs: nowMs + LOCK_MS })
      return { jobId, token, job: this.jobOf(jobId, entry, ask) }
    }
    return null
  }

  extend(jobId: string, token: string): number {
    const entry = this.entries.get(jobId)
    const isOurs = entry?.state === 'active' && entry.token === token
    if (!isOurs) return 0
    entry.lockUntilMs = this.clock.wallMs() + LOCK_MS
    return 1
  }

  /** Takes out a job that has ended; with a lost lock it is another worker's. */
  finish(jobId: string, token: string): void {
    if (this.holder(jobId) === token) this.entries.delete(jobId)
  }

  /** Jobs whose locks have expired go back to the workers. @returns their ids */
  moveStalled(): string[] {
    const nowMs = this.clock.wallMs()
    const stalled: string[] = []
    for (const [jobId, entry] of this.entries) {
      if (entry.state !== 'active' || entry.lockUntilMs > nowMs) continue
      Object.assign(entry, { state: 'waiting', stalledCounter: entry.stalledCounter + 1 })
      this.losses.set(jobId, (this.losses.get(jobId) ?? 0) + 1)
      stalled.push(jobId)
    }
    return stalled
  }

  private move(jobId: string, token: string, change: Partial<Entry>): void {
    const entry = this.entries.get(jobId)
    if (entry?.state !== 'active' || entry.token !== token) {
      throw new Error(`Missing lock for job ${jobId}.`)
    }
    Object.assign(entry, change)
  }

  /** What `runAttempt` asks of BullMQ's own object, and no more. */
  private jobOf(
    jobId: string,
    { data, stalledCounter }: Entry,
    ask: <T>(call: () => Promise<T>) => Promise<T>,
  ): Job<QueuedJob> {
    const job = {
      data,
      stalledCounter,
      extendLock: (token: string) => ask(async () => this.extend(jobId, token)),
      updateData: async (next: QueuedJob) => {
        job.data = next
        await ask(async () => {
          const entry = this.entries.get(jobId)
          if (!entry) throw new Error(`Missing key for job ${jobId}.`)
          entry.data = next
        })
      },
      moveToDelayed: (dueMs: number, token: string) =>
        ask(async () => this.move(jobId, token, { state: 'delayed', dueMs })),
      moveToWait: (token: string) => ask(async () => this.move(jobId, token, { state: 'waiting' })),
      promote: () => ask(async () => void this.promote(jobId)),
    }
    return job as unknown as Job<QueuedJob>
  }
}
