/** Limits of subtitles; the settings `subtitles.*`. */
export interface SubtitleLimits {
  /** Characters as people count them (graphemes), per line. */
  readonly lineCharsMax: number
  readonly linesMax: number
  /** Reading speed: a cue is shown longer for it where there is time, but its text is never cut. */
  readonly charsPerSecondMax: number
  /** Shortest time of a cue; a cue is shorter only where the next one follows too soon. */
  readonly cueMinMs: number
  readonly cueMaxMs: number
  /** A silence of this length, in ms, ends a segment. */
  readonly gapMaxMs: number
}
