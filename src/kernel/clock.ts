import { performance } from 'node:perf_hooks'
import { TimerHeap } from './timer-heap.js'

/**
 * A source of time, handed in as an argument so that tests can control it. Durations come from
 * `monotonicMs`, timestamps from `wallMs`.
 */
export interface Clock {
  /** Milliseconds with fractions, for differences only: latency, pacing, timeouts. */
  monotonicMs(): number
  /** Ms of the Unix epoch, for timestamps in results only: the system may set it back. */
  wallMs(): number
  /**
   * Resolves at `dueMs` of the monotonic clock or later, at once when that moment has passed.
   * @throws the signal's reason when it aborts first
   */
  sleepUntil(dueMs: number, options: { signal: AbortSignal }): Promise<void>
}

/** The real clock. One timer serves every sleeper of the process (see `TimerHeap`). */
export function systemClock(): Clock {
  const heap = new TimerHeap(() => performance.now())
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    sleepUntil: (dueMs, { signal }) => heap.sleepUntil(dueMs, signal),
  }
}

/** Sleeps for a length of time. @throws the signal's reason */
export function sleepFor(
  clock: Clock,
  durationMs: number,
  options: { signal: AbortSignal },
): Promise<void> {
  return clock.sleepUntil(clock.monotonicMs() + durationMs, options)
}

/**
 * Sleeps for a length of time, or until the signal aborts: for loops that look at the signal after
 * every pause, where a stop is how they end and no error.
 */
export async function pauseFor(
  clock: Clock,
  durationMs: number,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  try {
    await sleepFor(clock, durationMs, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** ISO 8601 in UTC of a wall time. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString()
}
