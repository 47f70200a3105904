import type { MsRange } from '../../kernel/ms-range.js'

/** Tells whether a time is within one of the segments, sorted and disjoint. Pure, O(log n). */
export function speechLookup(
  segmentsMs: Pick<readonly MsRange[], 'length' | 'at'>,
): (timeMs: number) => boolean {
  return (timeMs) => {
    let low = 0
    let high = segmentsMs.length
    while (low < high) {
      const middle = (low + high) >> 1
      const [, endMs] = segmentsMs.at(middle) as MsRange
      if (endMs <= timeMs) low = middle + 1
      else high = middle
    }
    const segment = segmentsMs.at(low)
    return segment !== undefined && segment[0] <= timeMs
  }
}
