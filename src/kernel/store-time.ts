/** Samples of the offset that are kept: the one with the shortest round trip is the truest. */
const SAMPLES_MAX = 16
/** Two clocks drift apart, and the store's comes in whole ms: by less than this among samples. */
const DRIFT_MAX_MS = 50

/** The offset that one answer of the store tells; it lies half a round trip around. */
interface OffsetSample {
  offsetMs: number
  roundTripMs: number
}

/**
 * The store's clock, told by this process's monotonic one. Every answer of the store is a sample;
 * the true moment of its time lies within the round trip.
 *
 * A sample that can't be true together with the ones before it ends those: one of the clocks has
 * jumped. That of a suspended host stands still, and a store that has failed over has another one.
 */
export class StoreTime {
  private samples: OffsetSample[] = []
  private truest: OffsetSample = { offsetMs: 0, roundTripMs: 0 }

  /** The store said `storeMs` somewhere between two moments of the monotonic clock. */
  note(storeMs: number, beforeMs: number, afterMs: number): void {
    const roundTripMs = afterMs - beforeMs
    const sample = { offsetMs: storeMs - (beforeMs + afterMs) / 2, roundTripMs }
    if (this.samples.some((known) => contradict(known, sample))) this.samples = []
    this.samples.push(sample)
    if (this.samples.length > SAMPLES_MAX) this.samples.shift()
    let truest = sample
    for (const known of this.samples) {
      if (known.roundTripMs < truest.roundTripMs) truest = known
    }
    this.truest = truest
  }

  /** The store's time at a moment of the monotonic clock. */
  toStore(monotonicMs: number): number {
    return monotonicMs + this.truest.offsetMs
  }

  /** What the store's clock shows at that moment at the least: the answer may have come at once. */
  toStoreAtLeast(monotonicMs: number): number {
    return this.toStore(monotonicMs) - this.truest.roundTripMs / 2
  }

  /** The other way round. */
  toMonotonic(storeMs: number): number {
    return storeMs - this.truest.offsetMs
  }
}

function contradict(one: OffsetSample, other: OffsetSample): boolean {
  const apartMs = Math.abs(one.offsetMs - other.offsetMs)
  return apartMs > (one.roundTripMs + other.roundTripMs) / 2 + DRIFT_MAX_MS
}
