import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { spaceApart } from '../../../../src/transcript/words/spaced-times.js'

describe('spaceApart', () => {
  it.each<[string, number[], number[], number, number[]]>([
    ['nothing', [], [], 0, []],
    ['room enough: unchanged', [100, 200, 300], [20, 20, 20], 1_000, [100, 200, 300]],
    ['equal times: the later ones move', [100, 100, 100], [20, 20, 20], 1_000, [100, 120, 140]],
    ['beyond the end: all move back', [90, 95, 200], [20, 20, 20], 100, [60, 80, 100]],
    ['too early for its gap', [0], [20], 100, [20]],
    ['fractions become whole', [10.4, 20.6], [0, 0.5], 100.9, [10, 21]],
    ['gaps that do not fit become even', [0, 0, 0], [50, 10, 60], 90, [30, 60, 90]],
    ['more times than milliseconds', [0, 0, 0], [20, 20, 20], 1, [1, 2, 3]],
  ])('%s', (_, timesMs, gapsMs, maxMs, spaced) => {
    expect(spaceApart(timesMs, gapsMs, maxMs)).toStrictEqual(spaced)
  })

  it('keeps gaps and bounds, and moves nothing that fits', () => {
    const entry = fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 40 }))
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 30 }), (entries) => {
        const timesMs = entries.map(([timeMs]) => timeMs)
        const gapsMs = entries.map(([, gapMs]) => gapMs)
        const maxMs = 500
        const spaced = spaceApart(timesMs, gapsMs, maxMs)
        const fits = gapsMs.reduce((total, gapMs) => total + gapMs, 0) <= maxMs
        spaced.forEach((timeMs, index) => {
          const gapMs = timeMs - (spaced[index - 1] ?? 0)
          expect(gapMs).toBeGreaterThanOrEqual(fits ? (gapsMs[index] as number) : 1)
        })
        expect(spaced.at(-1)).toBeLessThanOrEqual(maxMs)
        expect(
          spaceApart(
            spaced,
            spaced.map(() => 1),
            maxMs,
          ),
        ).toStrictEqual(spaced)
      }),
    )
  })
})
