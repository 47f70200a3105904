/**
 * Wakes all callers that wait for the next change of something. A `notifyAll` without a waiter is
 * lost, so a caller checks the thing itself before it waits, with no await in between.
 */
export class Condition {
  private waiters = new Set<() => void>()

  /** Resolves at the next `notifyAll`. @throws the signal's reason */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.waiters.delete(wake)
        reject(signal.reason)
      }
      const wake = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.waiters.add(wake)
    })
  }

  /** Wakes all current waiters. */
  notifyAll(): void {
    if (this.waiters.size === 0) return
    const waiting = this.waiters
    this.waiters = new Set()
    for (const wake of waiting) wake()
  }
}
