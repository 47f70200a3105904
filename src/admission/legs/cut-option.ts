/** Where a lane may change sessions. Frames are indexes in the recording. */
export interface CutOption {
  /** The leg before ends in front of this frame. */
  readonly endFrame: number
  /** The leg after begins with this one: the same, or earlier where they overlap. */
  readonly nextFrame: number
  /** `skip`: a silence is left out, so no leg goes across; `end`: of the recording. */
  readonly kind: 'pause' | 'quiet' | 'skip' | 'end'
}
