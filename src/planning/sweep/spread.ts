import { LatencyHistogram, tenths } from '../../latency/latency-histogram.js'

/** Average, percentiles and maximum of the values of many sessions, to 0.1 of their unit. */
export interface Spread {
  avg: number
  p50: number
  p95: number
  p99: number
  max: number
  /** The session with the greatest value, 0-based. */
  worst_session: number
}

/** Collects values; percentiles are by nearest rank. */
export class SpreadMeter {
  private readonly histogram = new LatencyHistogram()
  private sum = 0
  private greatest = Number.NEGATIVE_INFINITY
  private worstSession = 0

  /** Counts one value, not below 0. */
  record(value: number, session: number): void {
    this.histogram.record(value)
    this.sum += value
    if (value <= this.greatest) return
    this.greatest = value
    this.worstSession = session
  }

  /** The spread of all values so far; null before the first. */
  spread(): Spread | null {
    const { count, maxMs } = this.histogram
    if (count === 0 || maxMs === null) return null
    const [p50, p95, p99] = this.histogram.percentilesMs([0.5, 0.95, 0.99])
    return {
      avg: tenths(this.sum / count),
      p50: p50 ?? maxMs,
      p95: p95 ?? maxMs,
      p99: p99 ?? maxMs,
      max: maxMs,
      worst_session: this.worstSession,
    }
  }
}
