import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { ASSUMED_PAUSE_EVERY_MS, assumedPauses } from '../../../src/planning/plan-pauses.js'

describe('assumedPauses', () => {
  it('are sorted, apart from each other, and within the recording', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 600_000 }), (seed, durationMs) => {
        let lastMs = 0
        for (const [fromMs, toMs] of assumedPauses(seededRandom(seed), durationMs)) {
          expect(fromMs).toBeGreaterThan(lastMs)
          expect(toMs).toBeLessThan(durationMs)
          lastMs = toMs
        }
      }),
    )
  })

  it('come every 6 s on average, and again with the same chance', () => {
    const durationMs = 20 * 3_600_000
    const pauses = assumedPauses(seededRandom(3), durationMs)
    const everyMs = durationMs / pauses.length
    expect(Math.abs(everyMs / ASSUMED_PAUSE_EVERY_MS - 1)).toBeLessThan(0.03)
    expect(assumedPauses(seededRandom(3), durationMs)).toEqual(pauses)
  })
})
