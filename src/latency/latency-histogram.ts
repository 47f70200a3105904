import assert from 'node:assert/strict'

/** Units in a millisecond: durations are counted to 0.1 ms. */
const UNITS_PER_MS = 10
/** Up to 204.7 ms every unit has a bucket; beyond, each doubling of the value has 1024 of them. */
const EXACT_UNITS_MAX = 2048
const BUCKETS_PER_OCTAVE = 1024
const FIRST_OCTAVE = Math.log2(EXACT_UNITS_MAX)
/** About 7 years; a longer duration is counted as this. */
const UNITS_MAX = 2 ** 41
/** Buckets of a page, which is the smallest part of memory that is taken. */
const PAGE_BUCKETS = 256

/**
 * Durations, counted in buckets: to 0.1 ms up to 204.7 ms, to one part in a thousand beyond. Only
 * pages of buckets with a count take memory, 1 KiB each: some 15 for the durations of a session,
 * and at most 129, however many values come. The histograms of several sessions add up to that of
 * all; averages of their percentiles would be wrong.
 */
export class LatencyHistogram {
  /** Number of the page → how often each of its buckets was hit. */
  private readonly pages = new Map<number, Uint32Array>()
  private total = 0
  private longestMs = 0

  get count(): number {
    return this.total
  }

  /** The longest value as it was recorded; null before the first. */
  get maxMs(): number | null {
    return this.total === 0 ? null : tenths(this.longestMs)
  }

  /** Counts one duration; one below 0 counts as 0. */
  record(durationMs: number): void {
    assert.ok(Number.isFinite(durationMs), 'a latency is a finite number of ms')
    const bucket = bucketOf(Math.round(Math.max(0, durationMs) * UNITS_PER_MS))
    const page = this.page(Math.floor(bucket / PAGE_BUCKETS))
    const at = bucket % PAGE_BUCKETS
    page[at] = (page[at] as number) + 1
    this.total += 1
    this.longestMs = Math.max(this.longestMs, durationMs)
  }

  /** Adds everything that another histogram has counted. */
  merge(other: LatencyHistogram): void {
    for (const [number, counts] of other.pages) {
      const page = this.page(number)
      for (const [at, count] of counts.entries()) page[at] = (page[at] as number) + count
    }
    this.total += other.total
    this.longestMs = Math.max(this.longestMs, other.longestMs)
  }

  /**
   * Percentiles by nearest rank: for each share, the smallest recorded value that at least that
   * share of all values doesn't exceed.
   * @param shares each in (0, 1], such as 0.95
   * @returns ms, one per share; null before the first value
   */
  percentilesMs(shares: readonly number[]): (number | null)[] {
    const pages = [...this.pages].sort(([left], [right]) => left - right)
    return shares.map((share) => {
      assert.ok(share > 0 && share <= 1, 'a percentile is a share in (0, 1]')
      const rank = Math.ceil(share * this.total - 1e-9) // rounding: 0.07 × 100 is a little above 7
      let reached = 0
      for (const [number, counts] of pages) {
        for (const [at, count] of counts.entries()) {
          reached += count
          if (reached >= rank) return tenths(unitsOf(number * PAGE_BUCKETS + at) / UNITS_PER_MS)
        }
      }
      return null
    })
  }

  percentileMs(share: number): number | null {
    return this.percentilesMs([share])[0] ?? null
  }

  private page(number: number): Uint32Array {
    const known = this.pages.get(number)
    if (known) return known
    const made = new Uint32Array(PAGE_BUCKETS)
    this.pages.set(number, made)
    return made
  }
}

/** A duration rounded to 0.1 ms. */
export function tenths(durationMs: number): number {
  return Math.round(durationMs * UNITS_PER_MS) / UNITS_PER_MS
}

/** The number of a duration's bucket, from 0, in order of length. */
function bucketOf(units: number): number {
  const capped = Math.min(units, UNITS_MAX)
  if (capped < EXACT_UNITS_MAX) return capped
  const octave = Math.floor(Math.log2(capped))
  const within = Math.floor((capped / 2 ** octave - 1) * BUCKETS_PER_OCTAVE)
  return EXACT_UNITS_MAX + (octave - FIRST_OCTAVE) * BUCKETS_PER_OCTAVE + within
}

/** The shortest duration of a bucket. */
function unitsOf(bucket: number): number {
  if (bucket < EXACT_UNITS_MAX) return bucket
  const beyond = bucket - EXACT_UNITS_MAX
  const octave = FIRST_OCTAVE + Math.floor(beyond / BUCKETS_PER_OCTAVE)
  return 2 ** octave * (1 + (beyond % BUCKETS_PER_OCTAVE) / BUCKETS_PER_OCTAVE)
}
