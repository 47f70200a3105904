import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MsRange } from '../../../../src/kernel/ms-range.js'
import { skippableFrames } from '../../../../src/media/vad/silence.js'

describe('skippableFrames', () => {
  it.each<[string, MsRange[], number | null, [number, number][]]>([
    ['nothing where nothing is to be skipped', [[0, 60_000]], null, []],
    ['nothing without pauses', [], 5_000, []],
    ['no pause that is just as long', [[10_000, 15_000]], 5_000, []],
    ['a longer one less a second at both ends', [[10_000, 18_000]], 5_000, [[138, 212]]],
    ['whole frames inside the margins only', [[10_001, 17_999]], 5_000, [[138, 212]]],
    [
      'lead-in and tail',
      [
        [0, 8_000],
        [90_000, 99_000],
      ],
      5_000,
      [
        [13, 87],
        [1138, 1225],
      ],
    ],
    ['nothing where the margins leave nothing', [[10_000, 12_050]], 2_000, []],
  ])('skips %s', (_, pausesMs, skipSilenceMs, frames) => {
    expect(skippableFrames(pausesMs, skipSilenceMs)).toStrictEqual(frames)
  })

  it('stays a second away from everything that is no pause', () => {
    const pauses = fc
      .array(fc.tuple(fc.nat(20_000), fc.integer({ min: 1, max: 20_000 })), { maxLength: 8 })
      .map((pairs) => {
        let reachedMs = 0
        return pairs.map(([talkMs, pauseMs]): MsRange => {
          const fromMs = reachedMs + talkMs
          reachedMs = fromMs + pauseMs
          return [fromMs, reachedMs]
        })
      })
    fc.assert(
      fc.property(pauses, fc.integer({ min: 1_000, max: 10_000 }), (pausesMs, skipSilenceMs) => {
        const skipped = skippableFrames(pausesMs, skipSilenceMs)
        for (const [start, end] of skipped) {
          expect(end).toBeGreaterThan(start)
          const holds = pausesMs.filter(
            ([from, to]) => from + 1_000 <= start * 80 && end * 80 <= to - 1_000,
          )
          expect(holds).toHaveLength(1)
        }
        const long = pausesMs.filter(([from, to]) => to - from > Math.max(skipSilenceMs, 2_160))
        expect(skipped.length).toBeGreaterThanOrEqual(long.length)
      }),
    )
  })
})
