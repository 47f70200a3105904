/** What subtitles have to keep to; the settings `subtitles.*`. */
export interface SubtitleLimits {
  /** Characters as people count them (graphemes). */
  readonly lineCharsMax: number
  readonly linesMax: number
  /** Reading speed: a cue stays longer for it where there is room, and is never cut for it. */
  readonly charsPerSecondMax: number
  /** A cue is shorter only where the next one leaves no room. */
  readonly cueMinMs: number
  readonly cueMaxMs: number
  /** A silence of this length ends a segment. */
  readonly gapMaxMs: number
}
