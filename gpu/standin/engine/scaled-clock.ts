import type { Clock } from '../../../src/kernel/clock.js'

/**
 * A clock whose durations pass so many times as fast: what takes 20 ms on it is over after 20 ms
 * divided by `scale`. Timestamps stay true.
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
