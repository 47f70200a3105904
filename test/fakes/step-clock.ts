import type { Clock } from '../../src/kernel/clock.js'

interface Sleeper {
  dueMs: number
  wake: () => void
}

/** A clock that moves only when the test says so. Both of its sides show the same time. */
export class StepClock implements Clock {
  private nowMs: number
  private sleepers: Sleeper[] = []

  constructor(startMs = 0) {
    this.nowMs = startMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  wallMs(): number {
    return this.nowMs
  }

  sleepUntil(dueMs: number, { signal }: { signal: AbortSignal }): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (dueMs <= this.nowMs) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.sleepers = this.sleepers.filter((entry) => entry !== sleeper)
        reject(signal.reason)
      }
      const sleeper = {
        dueMs,
        wake: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.sleepers.push(sleeper)
    })
  }

  get sleeping(): number {
    return this.sleepers.length
  }

  /**
   * Moves on, waking each sleeper at its time, with everything that follows from it done between.
   */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.nowMs + durationMs
    await settle()
    for (;;) {
      const next = this.sleepers
        .filter(({ dueMs }) => dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs)[0]
      if (!next) break
      this.nowMs = Math.max(this.nowMs, next.dueMs)
      this.sleepers = this.sleepers.filter((entry) => entry !== next)
      next.wake()
      await settle()
    }
    this.nowMs = endMs
  }

  /** The process stands still for so long: whatever was due meanwhile wakes late, all at once. */
  async standStill(durationMs: number): Promise<void> {
    await settle()
    this.nowMs += durationMs
    const due = this.sleepers.filter(({ dueMs }) => dueMs <= this.nowMs)
    this.sleepers = this.sleepers.filter((entry) => !due.includes(entry))
    for (const { wake } of due.sort((a, b) => a.dueMs - b.dueMs)) wake()
    await settle()
  }
}

/** Lets every promise chain run to where it waits: one turn of the macrotask queue drains them. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
