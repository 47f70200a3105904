import type { CutOption } from './cut-option.js'

/** The segment of a lane that one leg covers. */
export interface PlannedSegment {
  readonly fromFrame: number
  /** The first frame after the segment. */
  readonly endFrame: number
  readonly cut: CutOption['kind']
  readonly openMs: number
  readonly startMs: number
}
