import { STEP_MS } from '../model/pcm.js'

/** Speed of a replay: a multiple of real time, or `max`: as fast as the engine keeps up. */
export type Pace = number | 'max'

/**
 * When each frame of a replay is due, on an absolute schedule: a late frame never delays the next
 * one. The schedule moves only when the sender is held back on purpose (`hold`): the frames that
 * were not sent meanwhile must not follow in a burst. Pure; times are of one monotonic clock.
 */
export class ReplaySchedule {
  private readonly frameMs: number
  private startMs: number

  constructor(pace: Pace, startMs: number) {
    this.frameMs = pace === 'max' ? 0 : STEP_MS / pace
    this.startMs = startMs
  }

  /** The earliest time, in ms of the monotonic clock, at which frame `index` (0-based) is sent. */
  dueMs(index: number): number {
    return this.startMs + index * this.frameMs
  }

  /** Moves the schedule: frame `index` is due at `nowMs` or later, the next ones after it. */
  hold(index: number, nowMs: number): void {
    const behindMs = nowMs - this.dueMs(index)
    if (behindMs > 0) this.startMs += behindMs
  }
}
