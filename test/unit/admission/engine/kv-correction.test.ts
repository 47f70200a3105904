import { describe, expect, it } from 'vitest'
import {
  type KvCorrection,
  type KvSample,
  NO_CORRECTION,
  nextCorrection,
} from '../../../../src/admission/engine/kv-correction.js'

/** Samples once a second with these errors, from the state on; a quiet engine unless told. */
function sampled(
  state: KvCorrection,
  errors: readonly number[],
  changes: { fromMs?: number; sample?: (atMs: number) => Partial<KvSample> } = {},
): KvCorrection {
  const fromMs = changes.fromMs ?? 0
  return errors.reduce((before, error, index) => {
    const atMs = fromMs + index * 1_000
    const sample: KvSample = {
      atMs,
      predictedBlocks: 500,
      measuredBlocks: 500 + error,
      changedMs: -60_000,
      foreignSessions: 0,
    }
    return nextCorrection(before, { ...sample, ...changes.sample?.(atMs) })
  }, state)
}

const times = (count: number, error: number) => Array<number>(count).fill(error)
const corrected = (...args: Parameters<typeof sampled>) => sampled(...args).correctionBlocks

describe('the correction of the KV law', () => {
  it('is nothing while the law is right', () => {
    const state = sampled(NO_CORRECTION, times(30, 0))
    expect(state).toMatchObject({ correctionBlocks: 0, errorBlocks: 0 })
  })

  it('takes what the law is short of after 5 s, not before, and at once', () => {
    expect(corrected(NO_CORRECTION, times(5, 12))).toBe(0)
    expect(corrected(NO_CORRECTION, times(6, 12))).toBe(12)
  })

  it('takes the least error of the 5 s: readings are early or late for a moment only', () => {
    expect(corrected(NO_CORRECTION, [9, 30, 4, 17, 25, 11])).toBe(4)
    expect(corrected(NO_CORRECTION, [9, 30, -4, 17, 25, 11])).toBe(0)
    expect(corrected(NO_CORRECTION, [0, 3, 8, 5, 7, 6, 9])).toBe(3)
  })

  it('never gives blocks away that the law counts too many', () => {
    const state = sampled(NO_CORRECTION, times(60, -7))
    expect(state).toMatchObject({ correctionBlocks: 0, errorBlocks: -7 })
  })

  it('grows at once and shrinks by a block every 10 s', () => {
    const grown = sampled(NO_CORRECTION, [...times(6, 3), ...times(6, 8)])
    expect(grown.correctionBlocks).toBe(8)
    const seen = Array.from({ length: 45 }, (_, seconds) =>
      corrected(grown, times(seconds + 1, 5), { fromMs: 12_000 }),
    )
    expect(seen[5]).toBe(8)
    expect(seen.filter((blocks) => blocks === 7)).toHaveLength(10)
    expect(seen.filter((blocks) => blocks === 6)).toHaveLength(10)
    expect(seen.at(-1)).toBe(5)
  })

  it('begins to watch anew with every open and close', () => {
    const openedMs = 4_500
    const state = sampled(NO_CORRECTION, times(9, 12), {
      sample: (atMs) => ({ changedMs: atMs < openedMs ? -60_000 : openedMs }),
    })
    expect(state).toMatchObject({ correctionBlocks: 0, quietSinceMs: 5_000 })
    expect(
      corrected(state, times(3, 12), { fromMs: 9_000, sample: () => ({ changedMs: openedMs }) }),
    ).toBe(12)
  })

  it('learns nothing while sessions run that are not ours, and keeps what it knows', () => {
    const known = sampled(NO_CORRECTION, times(6, 4))
    const shared = sampled(known, times(40, 90), {
      fromMs: 6_000,
      sample: () => ({ foreignSessions: 2 }),
    })
    expect(shared).toMatchObject({ correctionBlocks: 4, errorBlocks: 90 })
    expect(corrected(shared, times(5, 90), { fromMs: 46_000 })).toBe(4)
    expect(corrected(shared, times(6, 90), { fromMs: 46_000 })).toBe(90)
  })

  it('takes an unknown number of other sessions for none', () => {
    expect(
      corrected(NO_CORRECTION, times(6, 4), { sample: () => ({ foreignSessions: null }) }),
    ).toBe(4)
  })

  it.each<[string, (atMs: number) => Partial<KvSample>]>([
    ['a missing figure', (atMs) => (atMs === 3_000 ? { measuredBlocks: null } : {})],
    ['a gap', (atMs) => ({ atMs: atMs < 3_000 ? atMs : atMs + 5_000 })],
  ])('begins to watch anew after %s', (_, sample) => {
    expect(corrected(NO_CORRECTION, times(8, 4), { sample })).toBe(0)
    expect(corrected(NO_CORRECTION, times(10, 4), { sample })).toBe(4)
  })

  it('shows no error where there is no figure', () => {
    const state = sampled(NO_CORRECTION, times(3, 4), { sample: () => ({ measuredBlocks: null }) })
    expect(state).toMatchObject({ correctionBlocks: 0, errorBlocks: null })
  })

  it('keeps no more samples than the quiet time has', () => {
    expect(sampled(NO_CORRECTION, times(1_000, 1)).quiet).toHaveLength(6)
  })

  it('watches anew when the clock goes back, and goes on from there', () => {
    const grown = sampled(NO_CORRECTION, times(6, 8), { fromMs: 3_600_000 })
    const back = sampled(grown, times(5, 12))
    expect(back.correctionBlocks).toBe(8)
    expect(corrected(grown, times(6, 12))).toBe(12)
    expect(corrected(grown, times(17, 0))).toBeLessThan(8)
  })
})
