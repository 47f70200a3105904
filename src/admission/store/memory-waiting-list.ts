import type { Clock } from '../../kernel/clock.js'
import { WAITER_KEPT_MS, type Waiter, type WaitingList } from '../index.js'

/** The waiting list in one process, on its clock. */
export class MemoryWaitingList implements WaitingList {
  private readonly clock: Clock
  private readonly entries = new Map<string, { waiter: Waiter; renewedMs: number }>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async put(waiter: Waiter, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    this.dropStale()
    const { sinceMs } = this.entries.get(waiter.jobId)?.waiter ?? waiter
    const renewedMs = this.clock.wallMs()
    // A renewed entry goes to the end, so that the oldest is first and `dropStale` can stop early.
    this.entries.delete(waiter.jobId)
    this.entries.set(waiter.jobId, { waiter: { ...waiter, sinceMs }, renewedMs })
  }

  async remove(jobId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    this.entries.delete(jobId)
  }

  async list({ signal }: { signal: AbortSignal }): Promise<Waiter[]> {
    signal.throwIfAborted()
    this.dropStale()
    return [...this.entries.values()].map(({ waiter }) => waiter)
  }

  private dropStale(): void {
    const nowMs = this.clock.wallMs()
    for (const [jobId, { renewedMs }] of this.entries) {
      if (nowMs - renewedMs < WAITER_KEPT_MS) return
      this.entries.delete(jobId)
    }
  }
}
