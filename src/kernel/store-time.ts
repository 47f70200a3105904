/** Samples of the offset that are kept; the one with the shortest round trip is the most exact. */
const SAMPLES_MAX = 16
/** Samples may differ by this much: two clocks drift apart, and the store's comes in whole ms. */
const DRIFT_MAX_MS = 50

/** The offset by one answer of the store: store minus monotonic, exact to ± half a round trip. */
interface OffsetSample {
  offsetMs: number
  roundTripMs: number
}

/**
 * The store's clock, computed from this process's monotonic clock. Every answer of the store that
 * contains its time is a sample; the store read its clock at some moment of the round trip.
 *
 * A sample that contradicts earlier ones replaces them all: one of the clocks has jumped. The clock
 * of a suspended host stops, and after a failover the store is another server.
 */
export class StoreTime {
  private samples: OffsetSample[] = []
  private truest: OffsetSample = { offsetMs: 0, roundTripMs: 0 }

  /** Adds a sample: the store's clock was `storeMs` at some moment between the other two. */
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

  /**
   * The earliest time that the store's clock can show at a moment of the monotonic clock: earlier
   * than `toStore` by half a round trip, the error of the sample.
   */
  toStoreAtLeast(monotonicMs: number): number {
    return this.toStore(monotonicMs) - this.truest.roundTripMs / 2
  }

  /** The moment of the monotonic clock at a time of the store. */
  toMonotonic(storeMs: number): number {
    return storeMs - this.truest.offsetMs
  }
}

function contradict(one: OffsetSample, other: OffsetSample): boolean {
  const apartMs = Math.abs(one.offsetMs - other.offsetMs)
  return apartMs > (one.roundTripMs + other.roundTripMs) / 2 + DRIFT_MAX_MS
}
