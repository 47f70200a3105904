import { Condition } from '../../kernel/condition.js'
import { STEP_BACK_FRAMES } from '../../media/spool/lane-reader.js'

/** Frames that a leg may read ahead of the leg before it; the reader can go back twice as far. */
const AHEAD_FRAMES = Math.floor(STEP_BACK_FRAMES / 2)

/** The position of one leg in the order of its lane. */
export interface LegTurn {
  /**
   * Waits until a frame of the lane may be read: until the legs before this one are near that frame
   * or have read all of theirs. @throws the signal's reason
   */
  reach(frame: number, options: { signal: AbortSignal }): Promise<void>
  /** The leg reads no more frames. A second call does nothing. */
  leave(): void
}

/**
 * Keeps the legs of a lane near each other. At a change-over two legs run, on sessions of their
 * own, and share one reader, which can't go back far. Without this limit the second leg would run
 * ahead while the engine or the socket holds the first one back, and the first could read no more.
 */
export class LaneOrder {
  /** Legs that still read, in order, each with its furthest frame. */
  private readonly legs = new Set<{ frame: number }>()
  private readonly moved = new Condition()

  /** Adds a leg behind all others. @param fromFrame its first frame in the lane */
  enter(fromFrame: number): LegTurn {
    const leg = { frame: fromFrame }
    this.legs.add(leg)
    return {
      reach: async (frame, { signal }) => {
        while (this.isTooFar(leg, frame)) await this.moved.wait(signal)
        leg.frame = frame
        this.moved.notifyAll()
      },
      leave: () => {
        this.legs.delete(leg)
        this.moved.notifyAll()
      },
    }
  }

  private isTooFar(leg: { frame: number }, frame: number): boolean {
    for (const other of this.legs) {
      if (other === leg) return false
      if (frame > other.frame + AHEAD_FRAMES) return true
    }
    return false
  }
}
