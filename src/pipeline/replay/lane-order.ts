import { Condition } from '../../kernel/condition.js'
import { STEP_BACK_FRAMES } from '../../media/spool/lane-reader.js'

/** Frames that a leg may read ahead of the one before it; the reader goes back twice as far. */
const AHEAD_FRAMES = Math.floor(STEP_BACK_FRAMES / 2)

/** The place of one leg in its lane. */
export interface LegTurn {
  /**
   * Waits until a frame of the lane may be read: the legs before it have come as far, or have read
   * all of theirs. @throws the signal's reason
   */
  reach(frame: number, options: { signal: AbortSignal }): Promise<void>
  /** Reads nothing any more; again does nothing. */
  leave(): void
}

/**
 * Keeps the legs of a lane in order. Two run at a change-over, on sessions of their own; where the
 * engine or the socket holds the first one back, the second would run past it, and the lane's one
 * reader with it.
 */
export class LaneOrder {
  /** Legs that still read, the first one first, each with its furthest frame. */
  private readonly legs = new Set<{ frame: number }>()
  private readonly moved = new Condition()

  /** A leg begins, behind all that were there before. @param fromFrame of the lane */
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
