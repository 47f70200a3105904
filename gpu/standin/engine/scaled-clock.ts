import type { Clock } from '../../../src/kernel/clock.js'

/**
 * A clock on which durations pass `scale` times as fast: a sleep of 20 ms takes 20 ms / `scale`.
 * Wall-clock timestamps are unchanged.
 * @param scale above 0; 1 is the clock itself
 */
export function scaledClock(clock: Clock, scale: number): Clock {
  if (scale === 1) return clock
  return {
    monotonicMs: () => clock.monotonicMs() * scale,
    wallMs: () => clock.wallMs(),
    sleepUntil: (dueMs, options) => clock.sleepUntil(dueMs / scale, options),
  }
}
