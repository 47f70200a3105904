import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { speechMap } from '../../../../src/media/vad/speech-map.js'

const WINDOW_MS = 32
const bounds = { speechMinMs: 250, silenceMinMs: 300, pauseMinMs: 400 }

/** `'..##'`: two silent windows, two with speech. */
function mapOf(picture: string, samples = picture.length * 512) {
  return speechMap(
    Uint8Array.from(picture, (window) => (window === '#' ? 1 : 0)),
    samples,
    bounds,
  )
}
const speech = (windows: number) => '#'.repeat(windows)
const silence = (windows: number) => '.'.repeat(windows)

describe('speechMap', () => {
  it('is one pause without speech, and nothing without audio', () => {
    expect(mapOf(silence(20))).toEqual({ segmentsMs: [], speechMs: 0, pausesMs: [[0, 640]] })
    expect(mapOf('')).toEqual({ segmentsMs: [], speechMs: 0, pausesMs: [] })
  })

  it('gives lead-in, pauses between and tail', () => {
    expect(mapOf(silence(20) + speech(10) + silence(13) + speech(10) + silence(14))).toEqual({
      segmentsMs: [
        [640, 960],
        [1376, 1696],
      ],
      speechMs: 640,
      pausesMs: [
        [0, 640],
        [960, 1376],
        [1696, 2144],
      ],
    })
  })

  it('joins speech over short gaps, which are no pauses', () => {
    expect(mapOf(speech(5) + silence(9) + speech(5))).toEqual({
      segmentsMs: [[0, 608]],
      speechMs: 608,
      pausesMs: [],
    })
  })

  it('lets a short sound end a pause without calling it a segment', () => {
    const map = mapOf(silence(20) + speech(3) + silence(20))
    expect(map.segmentsMs).toEqual([])
    expect(map.pausesMs).toEqual([
      [0, 640],
      [736, 1376],
    ])
  })

  it('ends with the audio, not with the last window', () => {
    expect(mapOf(speech(20), 20 * 512 - 160).segmentsMs).toEqual([[0, 630]])
    expect(mapOf(silence(20), 20 * 512 - 160).pausesMs).toEqual([[0, 630]])
  })

  it('covers every speech window by a segment or leaves it out of all pauses', () => {
    const masks = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(masks, (runs) => {
        const picture = runs.map(([loud, windows]) => (loud ? '#' : '.').repeat(windows)).join('')
        const map = mapOf(picture)
        const inside = (ranges: readonly (readonly [number, number])[], ms: number) =>
          ranges.some(([from, to]) => from <= ms && ms < to)
        for (const [window, mark] of [...picture].entries()) {
          const ms = window * WINDOW_MS
          if (mark === '#') expect(inside(map.pausesMs, ms)).toBe(false)
          expect(inside(map.pausesMs, ms) && inside(map.segmentsMs, ms)).toBe(false)
        }
        for (const [from, to] of map.pausesMs) expect(to - from).toBeGreaterThanOrEqual(400)
        for (const [from, to] of map.segmentsMs) expect(to - from).toBeGreaterThanOrEqual(250)
      }),
    )
  })
})
