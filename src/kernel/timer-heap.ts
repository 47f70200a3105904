interface Sleeper {
  dueMs: number
  wake: () => void
  canceled: boolean
}

/**
 * Sleepers in a binary heap behind a single `setTimeout`, so that a hundred paced sessions cost one
 * timer. Two modes: idle (heap empty, no timer) and armed (the timer is set for the earliest due
 * time). A canceled sleeper stays in the heap until it is due; its entry takes about 100 bytes.
 */
export class TimerHeap {
  private readonly heap: Sleeper[] = []
  private timer: NodeJS.Timeout | null = null
  private armedForMs = Number.POSITIVE_INFINITY
  private readonly nowMs: () => number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  /** Resolves at `dueMs` or later. @throws the signal's reason when it aborts before */
  sleepUntil(dueMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (dueMs <= this.nowMs()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        sleeper.canceled = true
        reject(signal.reason)
        if (this.heap.every((entry) => entry.canceled)) this.clear()
      }
      const sleeper: Sleeper = {
        dueMs,
        canceled: false,
        wake: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.push(sleeper)
      this.arm()
    })
  }

  private clear(): void {
    this.heap.length = 0
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.armedForMs = Number.POSITIVE_INFINITY
  }

  private arm(): void {
    const head = this.heap[0]
    if (!head) {
      this.clear()
      return
    }
    if (this.timer && this.armedForMs <= head.dueMs) return
    if (this.timer) clearTimeout(this.timer)
    this.armedForMs = head.dueMs
    // setTimeout takes at most 2^31 - 1 ms; waking early is harmless: fire() checks the clock.
    const waitMs = Math.min(Math.max(0, head.dueMs - this.nowMs()), 2 ** 31 - 1)
    this.timer = setTimeout(() => this.fire(), waitMs)
  }

  private fire(): void {
    this.timer = null
    this.armedForMs = Number.POSITIVE_INFINITY
    const nowMs = this.nowMs()
    for (let head = this.heap[0]; head && (head.canceled || head.dueMs <= nowMs); ) {
      this.pop()
      if (!head.canceled) head.wake()
      head = this.heap[0]
    }
    this.arm()
  }

  private push(sleeper: Sleeper): void {
    const { heap } = this
    let index = heap.push(sleeper) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as Sleeper
      if (above.dueMs <= sleeper.dueMs) break
      heap[index] = above
      index = parent
    }
    heap[index] = sleeper
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right && right.dueMs < (heap[child] as Sleeper).dueMs) child += 1
      const below = heap[child] as Sleeper
      if (below.dueMs >= last.dueMs) break
      heap[index] = below
      index = child
    }
    heap[index] = last
  }
}
