import type { CutOption } from './cut-option.js'
import type { PlannedSegment } from './planned-segment.js'

/** Where a lane may be cut, from its first frame to its end; frames are those of the recording. */
export class LaneCuts {
  readonly cuts: readonly CutOption[]

  /** @param cuts in order, the end last */
  constructor(cuts: readonly CutOption[]) {
    this.cuts = cuts
  }

  /** The first frame of the leg after one. */
  nextFrame({ endFrame }: PlannedSegment): number {
    return this.cutAt(endFrame)?.nextFrame ?? endFrame
  }

  /** The frame of a leg at whose time the next leg's first one is due. */
  overFrame(segment: PlannedSegment): number {
    return segment.cut === 'quiet' ? this.nextFrame(segment) : segment.endFrame
  }

  /** Frames from one on that are still to be replayed. */
  framesLeft(fromFrame: number): number {
    let end = fromFrame
    let skipped = 0
    for (const { endFrame, nextFrame, kind } of this.cuts) {
      if (endFrame <= fromFrame) continue
      end = endFrame
      if (kind === 'skip') skipped += nextFrame - endFrame
    }
    return Math.max(0, end - fromFrame - skipped)
  }

  /** By halving: tables of a thousand cuts for each of a hundred lanes would be megabytes. */
  private cutAt(endFrame: number): CutOption | null {
    let low = 0
    let high = this.cuts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.cuts[middle] as CutOption).endFrame < endFrame) low = middle + 1
      else high = middle
    }
    const cut = this.cuts[low]
    return cut?.endFrame === endFrame ? cut : null
  }
}
