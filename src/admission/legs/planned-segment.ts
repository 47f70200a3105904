import type { CutOption } from './cut-option.js'

/** A stretch of a lane for one session. */
export interface PlannedSegment {
  readonly fromFrame: number
  /** Exclusive. */
  readonly endFrame: number
  readonly cut: CutOption['kind']
  readonly openMs: number
  readonly startMs: number
}
