import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MsRange } from '../../../src/kernel/ms-range.js'
import { laneCoverage } from '../../../src/transcript/coverage.js'
import { alignDeltas } from '../../../src/transcript/words/align.js'
import { wordsOfGroups } from '../../../src/transcript/words/words.js'
import { STEP_MS } from './transcript-arbitrary.js'

/** A lane of two minutes in which the same text comes at each of the given times. */
function coverageOf(speechMs: MsRange[], textEndsMs: number[], text = ' word', holeMinMs?: number) {
  const durationMs = 120_000
  const deltas = Array.from({ length: durationMs / STEP_MS }, () => '')
  for (const endMs of textEndsMs) deltas[endMs / STEP_MS] = text
  const groups = alignDeltas(deltas, { leg: 0, legStartMs: 0, stepMs: STEP_MS })
  const legs = [{ index: 0, startMs: 0, endMs: durationMs, timing: 'token-step' as const }]
  const words = wordsOfGroups(groups, { stepMs: STEP_MS, durationMs, legs })
  const bound = holeMinMs === undefined ? {} : { holeMinMs }
  return laneCoverage({ speechMs, groups, words, stepMs: STEP_MS, ...bound })
}

/** Ends of words, one every so often. */
const every = (ms: number, fromMs: number, untilMs: number) =>
  Array.from({ length: (untilMs - fromMs) / ms + 1 }, (_, index) => fromMs + index * ms)

describe('laneCoverage', () => {
  it('is nothing for silence', () => {
    expect(coverageOf([], [])).toStrictEqual({ speechMs: 0, transcribedMs: 0, holes: [] })
  })

  it('is whole where words end less than 3 s of speech apart', () => {
    const { speechMs, transcribedMs, holes } = coverageOf(
      [[0, 20_000]],
      every(2_880, 2_880, 20_160),
    )
    expect([speechMs, transcribedMs, holes]).toStrictEqual([20_000, 20_000, []])
  })

  it('finds 3 s without words in the middle of talk, from the last end to the next start', () => {
    const spoken = [...every(400, 400, 8_000), ...every(400, 11_360, 20_000)]
    const { transcribedMs, holes } = coverageOf([[0, 20_000]], spoken)
    // A word of four letters is said in 340 ms.
    expect(holes).toStrictEqual([{ startMs: 8_000, endMs: 11_020, speechMs: 3_020 }])
    expect(transcribedMs).toBe(20_000 - 3_020)
  })

  it('goes by the ends of words: what is estimated hides no hole', () => {
    const spoken = [...every(400, 400, 8_000), ...every(400, 11_040, 20_000)]
    const { holes } = coverageOf([[0, 20_000]], spoken, ' unpronounceable')
    expect(holes).toMatchObject([{ startMs: 8_000, endMs: 11_040 - 900 }])
  })

  it('takes any other bound', () => {
    const spoken = [...every(400, 400, 8_000), ...every(400, 11_360, 20_000)]
    expect(coverageOf([[0, 20_000]], spoken, ' word', 3_500).holes).toStrictEqual([])
    expect(
      coverageOf([[0, 20_000]], every(1_200, 1_200, 19_200), ' word', 1_000).holes,
    ).not.toEqual([])
  })

  it('adds up short stretches of speech between two texts', () => {
    const speech: MsRange[] = [
      [0, 4_000],
      [10_000, 11_200],
      [13_000, 14_200],
      [20_000, 21_200],
      [40_000, 41_200],
    ]
    const { holes, transcribedMs } = coverageOf(speech, [...every(400, 400, 4_000), 40_400])
    expect(holes).toStrictEqual([{ startMs: 10_000, endMs: 21_200, speechMs: 3_600 }])
    expect(transcribedMs).toBe(4_000 + 1_200)
  })

  it('adds nothing up over a long silence: coughs are no talk', () => {
    const coughs = Array.from({ length: 8 }, (_, index): MsRange => {
      return [index * 12_000, index * 12_000 + 900]
    })
    expect(coverageOf(coughs, []).holes).toStrictEqual([])
  })

  it('sees a hole at the start and at the end', () => {
    const { holes } = coverageOf([[0, 30_000]], [16_000])
    expect(holes).toStrictEqual([
      { startMs: 0, endMs: 15_660, speechMs: 15_660 },
      { startMs: 16_000, endMs: 30_000, speechMs: 14_000 },
    ])
  })

  it('counts nothing as transcribed where there is no text at all', () => {
    expect(coverageOf([[0, 2_000]], [])).toStrictEqual({
      speechMs: 2_000,
      transcribedMs: 0,
      holes: [],
    })
    expect(coverageOf([[0, 9_000]], []).holes).toMatchObject([{ startMs: 0, endMs: 9_000 }])
  })

  it('does not take blanks between texts for text', () => {
    expect(coverageOf([[0, 20_000]], [4_000, 8_000, 12_000, 16_000], ' ')).toMatchObject({
      transcribedMs: 0,
      holes: [{ startMs: 0, endMs: 20_000 }],
    })
  })

  it('does not take blanks inside a run for text', () => {
    const deltas = [' one', ...Array.from({ length: 100 }, () => ' '), ' two']
    const groups = alignDeltas(deltas, { leg: 0, legStartMs: 0, stepMs: STEP_MS })
    expect(groups).toHaveLength(1)
    const legs = [{ index: 0, startMs: 0, endMs: 9_000, timing: 'token-step' as const }]
    const words = wordsOfGroups(groups, { stepMs: STEP_MS, durationMs: 9_000, legs })
    const { holes } = laneCoverage({ speechMs: [[0, 9_000]], groups, words, stepMs: STEP_MS })
    expect(holes).toMatchObject([{ startMs: 20, endMs: 101 * STEP_MS - 270 }])
  })

  it('takes a long run without spaces for text', () => {
    const everyStep = Array.from({ length: 200 }, (_, index) => (index + 10) * STEP_MS)
    expect(coverageOf([[0, 17_000]], everyStep, '京').holes).toStrictEqual([])
  })

  it('finds what lies between words of any recording, and nothing else', () => {
    const ends = fc.uniqueArray(fc.integer({ min: 5, max: 1_400 }), { maxLength: 60 })
    fc.assert(
      fc.property(ends, fc.constantFrom(1_000, 3_000, 8_000), (steps, holeMinMs) => {
        const endsMs = steps.map((step) => step * STEP_MS).sort((one, other) => one - other)
        const { speechMs, transcribedMs, holes } = coverageOf(
          [[0, 120_000]],
          endsMs,
          ' word',
          holeMinMs,
        )
        const edges = [0, ...endsMs, 120_000]
        const gaps = edges.slice(1).map((atMs, index) => atMs - (edges[index] as number))
        expect(holes.length).toBe(gaps.filter((gapMs) => gapMs >= holeMinMs).length)
        for (const { startMs, endMs } of holes) {
          expect(endsMs.some((atMs) => startMs < atMs && atMs <= endMs)).toBe(false)
        }
        const lostMs = holes.reduce((sum, hole) => sum + hole.speechMs, 0)
        expect(transcribedMs).toBe(endsMs.length === 0 ? 0 : speechMs - lostMs)
      }),
    )
  })
})
