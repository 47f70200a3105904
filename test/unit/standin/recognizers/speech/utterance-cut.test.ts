import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  UTTERANCE_MS_MAX,
  type Utterance,
  UtteranceCutter,
  WINDOW_SAMPLES,
} from '../../../../../gpu/standin/recognizers/speech/utterance-cut.js'
import { whiteNoise } from '../../../../fakes/tone-noise.js'

const WINDOW_MS = WINDOW_SAMPLES / 16
const LOUD = whiteNoise({ seed: 2, samples: 60 * 16_000, rms: 3000 })

/** Whole windows of noise where somebody talks, and silence between. */
function talk(windows: number, talks: readonly (readonly [start: number, end: number])[]) {
  const samples = new Int16Array(windows * WINDOW_SAMPLES)
  const speech = new Uint8Array(windows)
  for (const [start, end] of talks) {
    const range = [start * WINDOW_SAMPLES, end * WINDOW_SAMPLES] as const
    samples.set(LOUD.subarray(...range), range[0])
    speech.fill(1, start, end)
  }
  return { samples, speech }
}

/** Pushes all windows; `onWindow` looks at the cutter after each. */
function cut(
  { samples, speech }: { samples: Int16Array; speech: Uint8Array },
  onWindow: (cutter: UtteranceCutter, window: number) => void = () => {},
): Utterance[] {
  const cutter = new UtteranceCutter()
  for (const [window, isSpeech] of speech.entries()) {
    const from = window * WINDOW_SAMPLES
    cutter.push(samples.subarray(from, from + WINDOW_SAMPLES), isSpeech === 1)
    onWindow(cutter, window)
  }
  cutter.flush()
  return cutter.take()
}

const startWindow = (utterance: Utterance) => utterance.startMs / WINDOW_MS
const endWindow = (utterance: Utterance) => startWindow(utterance) + utterance.speech.length
const ranges = (utterances: readonly Utterance[]) =>
  utterances.map((one) => [startWindow(one), endWindow(one)])

/** Somebody who pauses and talks for random numbers of windows, a minute at most. */
const turns = fc.array(fc.integer({ min: 1, max: 280 }), { minLength: 2, maxLength: 6 })

function talkInTurns(lengths: readonly number[]) {
  const talks: [number, number][] = []
  let at = 0
  for (const [index, length] of lengths.entries()) {
    if (index % 2 === 1) talks.push([at, at + length])
    at += length
  }
  return { talks, ...talk(at + 30, talks) }
}

describe('UtteranceCutter', () => {
  it('cuts nothing out of silence, and of speech below 96 ms', () => {
    expect(cut(talk(300, []))).toEqual([])
    expect(cut(talk(100, [[50, 52]]))).toEqual([])
    expect(cut(talk(100, [[50, 53]]))).toHaveLength(1)
  })

  it('gives an utterance 256 ms of room on both sides, and says where its speech is', () => {
    const [utterance, ...others] = cut(talk(120, [[30, 60]]))
    expect(others).toEqual([])
    expect(ranges([utterance as Utterance])).toEqual([[22, 68]])
    const expected = new Uint8Array(46).fill(1, 8, 38)
    expect(utterance?.speech).toEqual(expected)
  })

  it('ends an utterance at a pause of 384 ms, and not at a shorter one', () => {
    const talks = [
      [10, 20],
      [31, 40],
      [52, 60],
    ] as const
    expect(ranges(cut(talk(100, talks)))).toEqual([
      [2, 48],
      [48, 68],
    ])
  })

  it('takes a pause of 160 ms for the end of an utterance that has lasted 5 s', () => {
    const talks = [
      [10, 170],
      [176, 200],
    ] as const
    expect(ranges(cut(talk(260, talks)))).toEqual([
      [2, 175],
      [175, 208],
    ])
  })

  it('cuts somebody who does not pause at the quietest place of the last 3 s', () => {
    const { samples, speech } = talk(400, [[10, 350]])
    // 64 ms of quiet that the detector takes for speech: no word goes on over them.
    samples.fill(0, 200 * WINDOW_SAMPLES, 202 * WINDOW_SAMPLES)
    const utterances = cut({ samples, speech })
    expect(utterances).toHaveLength(2)
    expect(endWindow(utterances[0] as Utterance)).toBe(201)
    expect(startWindow(utterances[1] as Utterance)).toBe(201)
  })

  it('loses no talk, cuts none twice, and no utterance is longer than 8 s', () => {
    fc.assert(
      fc.property(turns, (lengths) => {
        const { talks, samples, speech } = talkInTurns(lengths)
        let settledMs = 0
        const utterances = cut({ samples, speech }, (cutter) => {
          if (cutter.settledMs < settledMs) expect.fail('what was settled is not any more')
          settledMs = cutter.settledMs
        })
        let previousEnd = 0
        for (const utterance of utterances) {
          const start = startWindow(utterance)
          expect(start).toBeGreaterThanOrEqual(previousEnd)
          previousEnd = endWindow(utterance)
          expect(utterance.samples.length / 16).toBeLessThanOrEqual(UTTERANCE_MS_MAX)
          const from = start * WINDOW_SAMPLES
          const original = samples.slice(from, from + utterance.samples.length)
          expect(isSame(utterance.samples, original)).toBe(true)
          expect(utterance.speech).toEqual(speech.slice(start, previousEnd))
        }
        const isHeard = (window: number) =>
          utterances.some((one) => startWindow(one) <= window && window < endWindow(one))
        for (const [start, end] of talks) {
          // What ends within 96 ms behind a cut has no word in it.
          for (let window = start; end - start >= 3 && window < end - 2; window += 1) {
            if (!isHeard(window)) expect.fail(`talk in window ${window} is in no utterance`)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('settles silence at once, and speech not before its utterance ends', () => {
    const { samples, speech } = talk(200, [[100, 150]])
    cut({ samples, speech }, (cutter, window) => {
      const settled = cutter.settledMs / WINDOW_MS
      if (window < 100) expect(settled).toBe(Math.max(0, window + 1 - 8))
      else if (window < 150) expect(settled).toBe(92)
    })
  })
})

/** Quicker than comparing arrays sample by sample. */
function isSame(one: Int16Array, other: Int16Array): boolean {
  return Buffer.from(one.buffer).equals(Buffer.from(other.buffer))
}
