import assert from 'node:assert/strict'

/** Units of a millisecond that are told apart. */
const UNITS_PER_MS = 10
/** Up to 204.7 ms every unit has a bucket; beyond, each doubling of the value has 1024 of them. */
const EXACT_UNITS_MAX = 2048
const BUCKETS_PER_OCTAVE = 1024
/** About 11 years; everything longer counts as this. */
const UNITS_MAX = 2 ** 41

/**
 * Durations, counted in buckets: to 0.1 ms up to 204.7 ms, to one part in a thousand beyond. Only
 * buckets that were hit are kept, at most 33,000, however many values come. Histograms of several
 * sessions add up to that of all, which averages of percentiles would not.
 */
export class LatencyHistogram {
  /** Lower bound of the bucket in units → how often. */
  private readonly counts = new Map<number, number>()
  private total = 0
  private longestMs = 0

  get count(): number {
    return this.total
  }

  /** The longest value as it was recorded; null before the first. */
  get maxMs(): number | null {
    return this.total === 0 ? null : tenths(this.longestMs)
  }

  /** Counts one duration; what is below 0 counts as 0. */
  record(durationMs: number): void {
    assert.ok(Number.isFinite(durationMs), 'a latency is a finite number of ms')
    const bucket = bucketOf(Math.round(Math.max(0, durationMs) * UNITS_PER_MS))
    this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + 1)
    this.total += 1
    this.longestMs = Math.max(this.longestMs, durationMs)
  }

  /** Adds everything that another histogram has counted. */
  merge(other: LatencyHistogram): void {
    const taken = [...other.counts] // a copy, because a histogram may be added to itself
    for (const [bucket, count] of taken) {
      this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + count)
    }
    this.total += other.total
    this.longestMs = Math.max(this.longestMs, other.longestMs)
  }

  /**
   * Nearest rank: the least recorded value that so large a share of all doesn't exceed.
   * @param shares each in (0, 1], such as 0.95
   * @returns ms, one per share; null before the first value
   */
  percentilesMs(shares: readonly number[]): (number | null)[] {
    const buckets = [...this.counts].sort(([left], [right]) => left - right)
    return shares.map((share) => {
      assert.ok(share > 0 && share <= 1, 'a percentile is a share in (0, 1]')
      const rank = Math.ceil(share * this.total - 1e-9) // 0.07 × 100 is a little above 7
      let reached = 0
      for (const [bucket, count] of buckets) {
        reached += count
        if (reached >= rank) return tenths(bucket / UNITS_PER_MS)
      }
      return null
    })
  }

  percentileMs(share: number): number | null {
    return this.percentilesMs([share])[0] ?? null
  }
}

/** Rounded to 0.1 ms. */
export function tenths(durationMs: number): number {
  return Math.round(durationMs * UNITS_PER_MS) / UNITS_PER_MS
}

function bucketOf(units: number): number {
  const capped = Math.min(units, UNITS_MAX)
  if (capped < EXACT_UNITS_MAX) return capped
  const bucketUnits = 2 ** Math.floor(Math.log2(capped)) / BUCKETS_PER_OCTAVE
  return Math.floor(capped / bucketUnits) * bucketUnits
}
