import type { Clock } from './clock.js'

interface Sleeper {
  dueMs: number
  /**
   * Number of the sleeper: those due at one time wake in its order, so that runs can be repeated.
   */
  position: number
  wake: (() => void) | null
}

/**
 * A clock for simulations: no real time passes while a caller sleeps, so hours take only as long as
 * it takes to compute what happens in them. `run` moves the clock from sleeper to sleeper, and lets
 * everything that follows from one wake-up happen before the next. Monotonic and wall time are the
 * same.
 */
export class SimulatedClock implements Clock {
  private nowMs: number
  private sleepers = 0
  private readonly heap: Sleeper[] = []

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
      const sleeper: Sleeper = { dueMs, position: this.sleepers, wake: null }
      this.sleepers += 1
      const onAbort = () => {
        sleeper.wake = null // it stays in the heap until it is due, and is then skipped
        reject(signal.reason)
      }
      sleeper.wake = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      push(this.heap, sleeper)
    })
  }

  /**
   * Lets time pass until the work is done.
   * @throws what the work throws; an Error when the work isn't done and no sleeper is left to wake
   */
  async run<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const end = () => {
      isOver = true
    }
    work.then(end, end)
    for (;;) {
      await settled()
      if (isOver) return await work
      const next = pop(this.heap)
      if (next === undefined) throw new Error(`Everything waits for ever at ${this.nowMs} ms.`)
      if (next.wake === null) continue
      this.nowMs = Math.max(this.nowMs, next.dueMs)
      next.wake()
    }
  }
}

/** Waits for the next macrotask: by then every chain of promises has run to where it waits. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function isBefore(one: Sleeper, other: Sleeper): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.position < other.position)
}

function push(heap: Sleeper[], sleeper: Sleeper): void {
  let at = heap.push(sleeper) - 1
  while (at > 0) {
    const above = (at - 1) >> 1
    if (!isBefore(sleeper, heap[above] as Sleeper)) break
    heap[at] = heap[above] as Sleeper
    at = above
  }
  heap[at] = sleeper
}

function pop(heap: Sleeper[]): Sleeper | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    if (below >= heap.length) break
    const right = heap[below + 1]
    if (right !== undefined && isBefore(right, heap[below] as Sleeper)) below += 1
    if (!isBefore(heap[below] as Sleeper, last)) break
    heap[at] = heap[below] as Sleeper
    at = below
  }
  heap[at] = last
  return first
}
