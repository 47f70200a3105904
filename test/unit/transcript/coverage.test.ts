import { describe, expect, it } from 'vitest'
import { alignDeltas } from '../../../src/transcript/align.js'
import { laneCoverage, type MsRange } from '../../../src/transcript/coverage.js'
import { wordsOfGroups } from '../../../src/transcript/words.js'
import { STEP_MS } from './transcript-arbitrary.js'

/** A lane of two minutes in which the same text comes at each of the given times. */
function coverageOf(speechMs: MsRange[], textEndsMs: number[], text = ' word') {
  const durationMs = 120_000
  const deltas = Array.from({ length: durationMs / STEP_MS }, () => '')
  for (const endMs of textEndsMs) deltas[endMs / STEP_MS] = text
  const groups = alignDeltas(deltas, { leg: 0, legStartMs: 0, stepMs: STEP_MS })
  const legs = [{ index: 0, startMs: 0, endMs: durationMs, timing: 'token-step' as const }]
  const words = wordsOfGroups(groups, { stepMs: STEP_MS, durationMs, legs })
  return laneCoverage({ speechMs, groups, words, stepMs: STEP_MS })
}

describe('laneCoverage', () => {
  it('is nothing for silence', () => {
    expect(coverageOf([], [])).toStrictEqual({ speechMs: 0, transcribedMs: 0, holes: [] })
  })

  it('is whole where text is never far', () => {
    const { speechMs, transcribedMs, holes } = coverageOf(
      [[0, 20_000]],
      [4_000, 8_000, 12_000, 16_000],
    )
    expect([speechMs, transcribedMs, holes]).toStrictEqual([20_000, 20_000, []])
  })

  it('finds a hole in the middle of speech', () => {
    const { transcribedMs, holes } = coverageOf([[0, 20_000]], [4_000, 16_000])
    // The word that ends at 16,000 begins 340 ms before; text covers 500 ms around itself.
    expect(holes).toStrictEqual([{ startMs: 4_500, endMs: 15_160 }])
    expect(transcribedMs).toBe(20_000 - 10_660)
  })

  it('adds up short stretches of speech between two texts', () => {
    const speech: MsRange[] = [
      [1_000, 4_000],
      [10_000, 13_000],
      [20_000, 23_000],
      [40_000, 43_000],
    ]
    const { holes, transcribedMs } = coverageOf(speech, [4_000, 40_400])
    expect(holes).toStrictEqual([{ startMs: 10_000, endMs: 23_000 }])
    expect(transcribedMs).toBe(6_000)
  })

  it('lets stretches pass that are within what detection errs by', () => {
    expect(
      coverageOf(
        [
          [0, 4_000],
          [10_000, 15_000],
        ],
        [4_000],
      ).holes,
    ).toStrictEqual([])
  })

  it('sees a hole at the start and at the end', () => {
    const { holes } = coverageOf([[0, 30_000]], [16_000])
    expect(holes).toStrictEqual([
      { startMs: 0, endMs: 15_160 },
      { startMs: 16_500, endMs: 30_000 },
    ])
  })

  it('counts nothing as transcribed where there is no text at all', () => {
    expect(coverageOf([[0, 4_000]], [])).toStrictEqual({
      speechMs: 4_000,
      transcribedMs: 0,
      holes: [],
    })
    expect(coverageOf([[0, 9_000]], []).holes).toStrictEqual([{ startMs: 0, endMs: 9_000 }])
  })

  it('does not take blanks between texts for text', () => {
    expect(coverageOf([[0, 20_000]], [4_000, 8_000, 12_000, 16_000], ' ')).toMatchObject({
      transcribedMs: 0,
      holes: [{ startMs: 0, endMs: 20_000 }],
    })
  })

  it('takes a long run without spaces for text', () => {
    const everyStep = Array.from({ length: 200 }, (_, index) => (index + 10) * STEP_MS)
    expect(coverageOf([[0, 17_000]], everyStep, '京').holes).toStrictEqual([])
  })
})
