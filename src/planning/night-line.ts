import type { Waiter, WaitingList } from '../admission/index.js'
import { waitingOrder } from '../admission/pool/waiting-order.js'

/**
 * The line of a forecast: every job stands in it from the beginning and nobody has to renew his
 * place, because no worker dies. Kept in the order in which jobs are let in, so that putting it in
 * order anew, which happens at every look, finds little to do.
 */
export class NightLine implements WaitingList {
  private readonly waiters: Map<string, Waiter>

  constructor(waiters: readonly Waiter[], options: { nowMs: number; agingMs: number }) {
    const ordered = waitingOrder(waiters, options)
    this.waiters = new Map(ordered.map((waiter) => [waiter.jobId, waiter]))
  }

  /** Jobs that wait still. */
  get length(): number {
    return this.waiters.size
  }

  /** The job that stands first; null when nobody waits. */
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
