/** A sentence for a result's warning; the code itself where this release doesn't know it. */
export function warningText(code: string): string {
  return WARNINGS[code] ?? `${code}.`
}

const WARNINGS: Readonly<Record<string, string>> = {
  media_truncated:
    'the file ends before it says it does; what there is of it was transcribed [media_truncated].',
  media_damaged: 'parts of the file could not be decoded and are missing [media_damaged].',
  timing_estimated:
    "the engine's count of steps was not what it should be, so times are estimated [timing_estimated].",
  coverage_holes:
    'there is speech without text; see coverage.holes in transcript.json [coverage_holes].',
}
