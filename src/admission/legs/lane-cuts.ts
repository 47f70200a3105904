import type { CutOption } from './cut-option.js'
import { GrowingCuts } from './growing-cuts.js'
import type { PlannedSegment } from './planned-segment.js'

/** All cuts of a lane in order, the end last; or those of one whose end isn't known yet. */
export type CutSource = readonly CutOption[] | GrowingCuts

/** The cuts that a source has now, the end last. */
export function cutsOf(source: CutSource): readonly CutOption[] {
  return source instanceof GrowingCuts ? source.cuts : source
}

/** Looks up cuts of one lane; frames are those of the recording. */
export class LaneCuts {
  private readonly source: CutSource

  constructor(source: CutSource) {
    this.source = source
  }

  get cuts(): readonly CutOption[] {
    return cutsOf(this.source)
  }

  /** Aborted once the end of a growing lane is known; null for a recording. */
  get completed(): AbortSignal | null {
    return this.source instanceof GrowingCuts ? this.source.completed : null
  }

  /** Whether more cuts may still come. */
  get isGrowing(): boolean {
    return this.completed !== null && !this.completed.aborted
  }

  /** Whether no audio is left after a leg; never while the lane grows. */
  isLast(segment: PlannedSegment): boolean {
    if (this.isGrowing) return false
    const end = this.cuts.at(-1)?.endFrame ?? 0
    return segment.cut === 'end' || segment.endFrame >= end
  }

  /** Lets a growing lane drop the cuts before this frame: no leg begins there any more. */
  forgetBefore(frame: number): void {
    if (this.source instanceof GrowingCuts) this.source.forgetBefore(frame)
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
