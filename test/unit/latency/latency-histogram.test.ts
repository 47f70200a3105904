import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatencyHistogram } from '../../../src/latency/latency-histogram.js'

function histogramOf(durationsMs: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram()
  for (const durationMs of durationsMs) histogram.record(durationMs)
  return histogram
}

const durations = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), {
  minLength: 1,
  maxLength: 200,
})

describe('LatencyHistogram', () => {
  it('knows nothing before the first value', () => {
    const histogram = new LatencyHistogram()
    expect([histogram.count, histogram.maxMs, histogram.percentileMs(0.5)]).toStrictEqual([
      0,
      null,
      null,
    ])
  })

  it.each([
    [0.05, 1],
    [0.5, 10],
    [0.95, 19],
    [0.99, 20],
    [1, 20],
  ])('takes the nearest rank: %d of 1 to 20 is %d', (share, valueMs) => {
    const values = Array.from({ length: 20 }, (_, index) => index + 1)
    expect(histogramOf(values).percentileMs(share)).toBe(valueMs)
  })

  it('does not take a rounding error for another rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1)
    expect(histogramOf(values).percentileMs(0.07)).toBe(7)
  })

  it('tells tenths of a millisecond apart', () => {
    const histogram = histogramOf([80.1, 80.2, 80.3])
    expect(histogram.percentilesMs([0.3, 0.6, 0.9])).toStrictEqual([80.1, 80.2, 80.3])
  })

  it('counts what is below 0 as 0', () => {
    const histogram = histogramOf([-5])
    expect([histogram.percentileMs(1), histogram.maxMs]).toStrictEqual([0, 0])
  })

  it('takes any finite length, and no other number', () => {
    expect(histogramOf([1e15]).maxMs).toBe(1e15)
    expect(() => histogramOf([Number.NaN])).toThrow('finite')
    expect(() => histogramOf([Number.POSITIVE_INFINITY])).toThrow('finite')
  })

  it('is within 0.1 ms or a thousandth of the exact percentile', () => {
    fc.assert(
      fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99, 1), (values, share) => {
        const sorted = [...values].sort((left, right) => left - right)
        const exactMs = sorted[Math.ceil(share * values.length - 1e-9) - 1] as number
        const foundMs = histogramOf(values).percentileMs(share) as number
        expect(Math.abs(foundMs - exactMs)).toBeLessThanOrEqual(Math.max(0.051, exactMs / 1000))
      }),
    )
  })

  it('merges to what one histogram of everything would be', () => {
    fc.assert(
      fc.property(durations, durations, (left, right) => {
        const merged = histogramOf(left)
        merged.merge(histogramOf(right))
        expect(merged).toStrictEqual(histogramOf([...left, ...right]))
      }),
    )
  })

  it('can be added to itself', () => {
    const histogram = histogramOf([1, 2])
    histogram.merge(histogram)
    expect(histogram).toStrictEqual(histogramOf([1, 2, 1, 2]))
  })
})
