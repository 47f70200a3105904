import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MsRange } from '../../../../src/kernel/ms-range.js'
import { type CuttableLane, cutCandidates } from '../../../../src/media/vad/cut-candidates.js'

const OPTIONS = { pauseMinMs: 400, everyMs: 10_000 }
const STEP_MS = 80

/** A lane that is loud all over, but for the stretches of 50 ms that are given. */
function lane(changes: Partial<CuttableLane> & { quietMs?: Record<number, number> }): CuttableLane {
  const { durationMs = 8_000, pausesMs = [], quietMs = {} } = changes
  const peaks = new Uint8Array(Math.ceil(durationMs / 50)).fill(200)
  for (const [atMs, peak] of Object.entries(quietMs)) peaks[Math.floor(Number(atMs) / 50)] = peak
  return { durationMs, pausesMs, peaks: changes.peaks ?? peaks }
}

const at = (candidates: ReturnType<typeof cutCandidates>) =>
  candidates.map(({ atFrame, kind }) => [atFrame * STEP_MS, kind])

describe('cuts in pauses', () => {
  it('are in the middle, on the grid', () => {
    const pausesMs: MsRange[] = [
      [1_000, 1_400],
      [3_000, 3_900],
    ]
    expect(at(cutCandidates(lane({ pausesMs })))).toEqual([
      [1_200, 'pause'],
      [3_440, 'pause'],
    ])
  })

  it('leave pauses alone that are too short', () => {
    expect(cutCandidates(lane({ pausesMs: [[1_000, 1_399]] }))).toEqual([])
    expect(
      cutCandidates(lane({ pausesMs: [[1_000, 1_500]] }), { ...OPTIONS, pauseMinMs: 501 }),
    ).toEqual([])
  })

  it('are every 2 s in long ones, clear of their edges', () => {
    const pausesMs: MsRange[] = [
      [1_000, 5_400],
      [6_000, 10_399],
    ]
    const cuts = at(cutCandidates(lane({ pausesMs, durationMs: 12_000 })))
    expect(cuts.map(([atMs]) => atMs)).toEqual([1_200, 3_200, 5_200, 8_160])
  })

  it('are in the lead-in and in the tail too, and never at the ends of the recording', () => {
    expect(
      at(
        cutCandidates(
          lane({
            pausesMs: [
              [0, 1_000],
              [7_000, 8_000],
            ],
          }),
        ),
      ),
    ).toEqual([
      [480, 'pause'],
      [7_520, 'pause'],
    ])
    expect(
      cutCandidates(lane({ pausesMs: [[0, 60]], durationMs: 60 }), { ...OPTIONS, pauseMinMs: 1 }),
    ).toEqual([])
    expect(cutCandidates(lane({ durationMs: 0 }))).toEqual([])
  })
})

describe('cuts in talk', () => {
  it('are none where it is no longer than the time between them', () => {
    expect(cutCandidates(lane({ durationMs: 10_000 }))).toEqual([])
  })

  it('are at the quietest 160 ms of each window', () => {
    const quietMs = { 4000: 10, 4050: 10, 4100: 10, 4150: 10, 13000: 40, 18000: 30, 18050: 30 }
    expect(at(cutCandidates(lane({ durationMs: 20_000, quietMs })))).toEqual([
      [4_080, 'quiet'],
      [18_080, 'quiet'],
    ])
  })

  it('are in the middle of windows that are evenly loud, and where nothing is known', () => {
    const even = [
      [5_040, 'quiet'],
      [15_040, 'quiet'],
    ]
    expect(at(cutCandidates(lane({ durationMs: 20_000 })))).toEqual(even)
    expect(at(cutCandidates(lane({ durationMs: 20_000, peaks: new Uint8Array(0) })))).toEqual(even)
  })

  it('are not at the edges of talk, where pauses are', () => {
    const pausesMs: MsRange[] = [
      [0, 1_000],
      [13_000, 14_000],
    ]
    const quietMs = { 1000: 0, 1050: 0, 1100: 0, 12900: 0, 12950: 0, 8500: 150 }
    const cuts = at(cutCandidates(lane({ durationMs: 14_000, pausesMs, quietMs })))
    expect(cuts).toEqual([
      [480, 'pause'],
      [4_000, 'quiet'],
      [8_560, 'quiet'],
      [13_520, 'pause'],
    ])
  })
})

describe('cuts of any lane', () => {
  const lanes = fc
    .record({
      stretches: fc.array(
        fc.tuple(fc.integer({ min: 20, max: 60_000 }), fc.integer({ min: 1, max: 20_000 })),
        { maxLength: 12 },
      ),
      tailMs: fc.nat(40_000),
      seed: fc.option(fc.nat()),
    })
    .map(({ stretches, tailMs, seed }) => {
      let reachedMs = 0
      const pausesMs = stretches.map(([talkMs, pauseMs]): MsRange => {
        const fromMs = reachedMs + talkMs
        reachedMs = fromMs + pauseMs
        return [fromMs, reachedMs]
      })
      return { durationMs: reachedMs + tailMs, pausesMs, seed }
    })
  const noisy = (count: number, seed: number) =>
    Uint8Array.from({ length: count }, (_, n) => Math.imul(n + seed, 0x9e3779b1) >>> 24)

  it('rise, lie inside, and leave no stretch of talk without one', () => {
    fc.assert(
      fc.property(lanes, ({ seed, ...made }) => {
        const peaks = noisy(seed === null ? 0 : Math.ceil(made.durationMs / 50), seed ?? 0)
        const cuts = cutCandidates({ ...made, peaks })
        const pauses = made.pausesMs.filter(([from, to]) => to - from >= OPTIONS.pauseMinMs)
        let lastMs = 0
        for (const { atFrame, kind } of cuts) {
          const atMs = atFrame * STEP_MS
          expect(atMs).toBeGreaterThan(lastMs)
          expect(atMs).toBeLessThan(made.durationMs)
          const clearMs = kind === 'pause' ? 160 : 0
          const within = pauses.some(([from, to]) => from + clearMs <= atMs && atMs <= to - clearMs)
          expect(within).toBe(kind === 'pause')
          expect(atMs - lastMs).toBeLessThanOrEqual(17_500)
          lastMs = atMs
        }
        expect(made.durationMs - lastMs).toBeLessThanOrEqual(17_500)
        const inPauses = cuts.filter(({ kind }) => kind === 'pause')
        expect(inPauses.length).toBeGreaterThanOrEqual(pauses.length)
      }),
      { numRuns: 300 },
    )
  })
})
