import type { Waiter, WaitingList } from '../admission/index.js'
import { waitingOrder } from '../admission/pool/waiting-order.js'

/**
 * The waiting list of a forecast: every job is in it from the beginning, and entries need no
 * renewal, because no worker dies. It is kept in the order of admission, so that the sorting at
 * every check for room finds little to do.
 */
export class NightLine implements WaitingList {
  private readonly waiters: Map<string, Waiter>

  constructor(waiters: readonly Waiter[], options: { nowMs: number; agingMs: number }) {
    const ordered = waitingOrder(waiters, options)
    this.waiters = new Map(ordered.map((waiter) => [waiter.jobId, waiter]))
  }

  /** Jobs that are still waiting. */
  get length(): number {
    return this.waiters.size
  }

  /** The first job of the queue; null when it is empty. */
  get first(): string | null {
    return this.waiters.keys().next().value ?? null
  }

  async put(waiter: Waiter, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    const { sinceMs } = this.waiters.get(waiter.jobId) ?? waiter
    this.waiters.set(waiter.jobId, { ...waiter, sinceMs })
  }

  async remove(jobId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    this.waiters.delete(jobId)
  }

  async list({ signal }: { signal: AbortSignal }): Promise<Waiter[]> {
    signal.throwIfAborted()
    return [...this.waiters.values()]
  }
}
