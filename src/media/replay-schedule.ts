import { STEP_MS } from '../model/pcm.js'

/** A multiple of real time, or as fast as the engine keeps up. */
export type Pace = number | 'max'

/**
 * When each frame of a replay is due, on an absolute schedule: a late frame never delays the next.
 * The schedule moves only where the sender is held back on purpose (`hold`), because the frames
 * that were not sent then must not follow in a burst. Pure; times are of one monotonic clock.
 */
export class ReplaySchedule {
  private readonly frameMs: number
  private startMs: number

  constructor(pace: Pace, startMs: number) {
    this.frameMs = pace === 'max' ? 0 : STEP_MS / pace
    this.startMs = startMs
  }

  /** When frame `index` (0-based) may be sent; never earlier. */
  dueMs(index: number): number {
    return this.startMs + index * this.frameMs
  }

  /** Moves everything that is still to come: frame `index` is due at `nowMs` at the earliest. */
  hold(index: number, nowMs: number): void {
    const behindMs = nowMs - this.dueMs(index)
    if (behindMs > 0) this.startMs += behindMs
  }
}
