/**
 * Moves times as little as needed, so that each is at least its gap after the one before, the first
 * at least its gap after 0, and none after the end. Returns whole milliseconds. Pure.
 *
 * First every time that is too early is moved later; then, from the end, every one that is too late
 * is moved earlier. When the gaps don't fit, all gaps but those of 0 become equal, and at least 1
 * ms: only with more gaps than milliseconds does the result go beyond the end.
 *
 * @param gapsMs one per time, at least 0; fractions of a millisecond count as a whole one
 */
export function spaceApart(
  timesMs: readonly number[],
  gapsMs: readonly number[],
  maxMs: number,
): number[] {
  let gaps = gapsMs.map(Math.ceil)
  let lastMs = Math.max(0, Math.floor(maxMs))
  if (sum(gaps) > lastMs) {
    const evenMs = Math.max(1, Math.floor(lastMs / gaps.filter((gapMs) => gapMs > 0).length))
    gaps = gaps.map((gapMs) => (gapMs > 0 ? evenMs : 0))
    lastMs = Math.max(lastMs, sum(gaps))
  }
  let earliestMs = 0
  const spaced = timesMs.map((timeMs, index) => {
    const placedMs = Math.max(Math.round(timeMs), earliestMs + (gaps[index] as number))
    earliestMs = placedMs
    return placedMs
  })
  for (let index = spaced.length - 1; index >= 0; index -= 1) {
    const placedMs = Math.min(spaced[index] as number, lastMs)
    spaced[index] = placedMs
    lastMs = placedMs - (gaps[index] as number)
  }
  return spaced
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
