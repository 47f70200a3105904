import type { Clock } from '../../src/kernel/clock.js'

/** A clock on which sleeping takes no time but is written down. */
export function instantClock(): Clock & { sleptMs: number[] } {
  let nowMs = 0
  const sleptMs: number[] = []
  return {
    sleptMs,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    async sleepUntil(dueMs, { signal }) {
      signal.throwIfAborted()
      sleptMs.push(dueMs - nowMs)
      nowMs = dueMs
    },
  }
}
