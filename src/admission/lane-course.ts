import type { CutOption, PlannedStretch } from './leg-planner.js'

/** Where a lane may be cut, from its first frame to its end; frames are those of the recording. */
export class LaneCourse {
  readonly cuts: readonly CutOption[]
  private readonly byEnd: ReadonlyMap<number, CutOption>

  /** @param cuts in order, the end last */
  constructor(cuts: readonly CutOption[]) {
    this.cuts = cuts
    this.byEnd = new Map(cuts.map((cut) => [cut.endFrame, cut]))
  }

  /** The first frame of the leg after one. */
  nextFrame({ endFrame }: PlannedStretch): number {
    return this.byEnd.get(endFrame)?.nextFrame ?? endFrame
  }

  /** The frame of a leg at whose time the next leg's first one is due. */
  overFrame(stretch: PlannedStretch): number {
    return stretch.cut === 'quiet' ? this.nextFrame(stretch) : stretch.endFrame
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
}
