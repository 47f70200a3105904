/**
 * A place where a lane may change from one leg to the next. Frames are counted in the recording.
 */
export interface CutOption {
  /** The leg before the cut ends in front of this frame. */
  readonly endFrame: number
  /**
   * The leg after the cut begins with this frame: the same, an earlier one where both legs overlap,
   * or a later one where silence is skipped.
   */
  readonly nextFrame: number
  /**
   * `pause`: in silence; `quiet`: in speech, with an overlap; `skip`: before silence that is not
   * replayed, so every leg ends here; `end`: the end of the recording.
   */
  readonly kind: 'pause' | 'quiet' | 'skip' | 'end'
}
