/** Samples of the offset that are kept: the one with the shortest round trip is the truest. */
const SAMPLES_MAX = 16

/**
 * The store's clock, told by this process's monotonic one. Every answer of the store is a sample;
 * the true moment of its time lies within the round trip.
 */
export class StoreTime {
  private readonly samples: { offsetMs: number; roundTripMs: number }[] = []
  private offsetMs = 0

  /** The store said `storeMs` somewhere between two moments of the monotonic clock. */
  note(storeMs: number, beforeMs: number, afterMs: number): void {
    const roundTripMs = afterMs - beforeMs
    this.samples.push({ offsetMs: storeMs - (beforeMs + afterMs) / 2, roundTripMs })
    if (this.samples.length > SAMPLES_MAX) this.samples.shift()
    let truest = this.samples[0]
    for (const sample of this.samples) {
      if (truest === undefined || sample.roundTripMs < truest.roundTripMs) truest = sample
    }
    this.offsetMs = truest?.offsetMs ?? 0
  }

  /** The store's time at a moment of the monotonic clock. */
  toStore(monotonicMs: number): number {
    return monotonicMs + this.offsetMs
  }

  /** The other way round. */
  toMonotonic(storeMs: number): number {
    return storeMs - this.offsetMs
  }
}
