import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  UTTERANCE_MS_MAX,
  type Utterance,
  UtteranceCutter,
} from '../../../../gpu/standin/recognizers/utterance-cut.js'
import { whiteNoise } from '../../../fakes/tone-noise.js'

const LOUD_RMS = 3000
const LOUD = whiteNoise({ seed: 2, samples: 60 * 16_000, rms: LOUD_RMS })

/** Speech as a cutter sees it: noise where somebody talks, over a background of other noise. */
function talk(speech: {
  durationMs: number
  talksMs: readonly (readonly [startMs: number, endMs: number])[]
  backgroundRms?: number
}): Int16Array {
  const { durationMs, talksMs, backgroundRms = 0 } = speech
  const background = { seed: 1, samples: durationMs * 16, rms: backgroundRms }
  const samples = backgroundRms > 0 ? whiteNoise(background) : new Int16Array(durationMs * 16)
  for (const [startMs, endMs] of talksMs) {
    samples.set(LOUD.subarray(startMs * 16, endMs * 16), startMs * 16)
  }
  return samples
}

function cut(samples: Int16Array): Utterance[] {
  const cutter = new UtteranceCutter()
  cutter.push(samples)
  cutter.flush()
  return cutter.take()
}

/** Quicker than comparing arrays sample by sample. */
const isSame = (one: Int16Array, other: Int16Array) =>
  Buffer.from(one.buffer).equals(Buffer.from(other.buffer))
const lengthMs = (utterance: Utterance) => utterance.samples.length / 16
const endMs = (utterance: Utterance) => utterance.startMs + lengthMs(utterance)

/** Somebody who pauses and talks for random times in ms, a minute at most. */
const turns = fc.array(fc.integer({ min: 50, max: 9000 }), { minLength: 2, maxLength: 6 })

function talkInTurns(lengthsMs: readonly number[]) {
  const talksMs: [number, number][] = []
  let atMs = 0
  for (const [index, length] of lengthsMs.entries()) {
    if (index % 2 === 1) talksMs.push([atMs, atMs + length])
    atMs += length
  }
  return { talksMs, samples: talk({ durationMs: atMs + 1000, talksMs }) }
}

describe('UtteranceCutter', () => {
  it('cuts nothing out of silence, clicks and steady noise', () => {
    expect(cut(new Int16Array(160_000))).toEqual([])
    expect(cut(whiteNoise({ seed: 1, samples: 160_000, rms: 15 }))).toEqual([])
    expect(cut(talk({ durationMs: 2000, talksMs: [[1000, 1020]] }))).toEqual([])
  })

  it('gives an utterance 250 ms of room on both sides', () => {
    const [utterance, ...others] = cut(talk({ durationMs: 4000, talksMs: [[1000, 2000]] }))
    expect(others).toEqual([])
    expect(utterance?.startMs).toBe(750)
    expect(endMs(utterance as Utterance)).toBe(2250)
  })

  it('ends an utterance at a pause, and not at a short one', () => {
    const talksMs = [
      [500, 1000],
      [1300, 1800],
      [2400, 3000],
    ] as const
    const utterances = cut(talk({ durationMs: 4000, talksMs }))
    expect(utterances.map((one) => [one.startMs, endMs(one)])).toEqual([
      [250, 2050],
      [2150, 3250],
    ])
  })

  it('takes a shorter pause for the end of an utterance that has lasted 3 s', () => {
    const talksMs = [
      [500, 4000],
      [4300, 5000],
    ] as const
    const utterances = cut(talk({ durationMs: 6000, talksMs }))
    expect(utterances.map((one) => endMs(one))).toEqual([4220, 5250])
  })

  it('cuts somebody who does not pause at the quietest place of the last 2 s', () => {
    // 60 ms of quiet are no pause, but no word goes on over them.
    const talksMs = [
      [1000, 5500],
      [5560, 9000],
    ] as const
    const utterances = cut(talk({ durationMs: 10_000, talksMs }))
    expect(utterances).toHaveLength(2)
    expect(endMs(utterances[0] as Utterance)).toBeGreaterThan(5500)
    expect(endMs(utterances[0] as Utterance)).toBeLessThan(5560)
    expect(utterances[1]?.startMs).toBe(endMs(utterances[0] as Utterance))
  })

  it('hears speech over a background as loud as a tenth of it, once it knows that', () => {
    const background = { durationMs: 60_000, backgroundRms: LOUD_RMS / 10 }
    const utterances = cut(talk({ ...background, talksMs: [[50_000, 52_000]] }))
    const late = utterances.filter((utterance) => utterance.startMs > 30_000)
    expect(late.map((one) => [one.startMs, endMs(one)])).toEqual([[49_750, 52_250]])
  })

  it('loses no talk, cuts none twice, and no utterance is longer than 6 s', () => {
    fc.assert(
      fc.property(turns, (lengthsMs) => {
        const { talksMs, samples } = talkInTurns(lengthsMs)
        const utterances = cut(samples)
        let previousEndMs = 0
        for (const utterance of utterances) {
          expect(utterance.startMs).toBeGreaterThanOrEqual(previousEndMs)
          previousEndMs = endMs(utterance)
          expect(lengthMs(utterance)).toBeLessThanOrEqual(UTTERANCE_MS_MAX)
          const from = utterance.startMs * 16
          const original = samples.slice(from, from + utterance.samples.length)
          expect(isSame(utterance.samples, original)).toBe(true)
        }
        const heardMs = (atMs: number) =>
          utterances.some((one) => one.startMs <= atMs && atMs < endMs(one))
        for (const [startMs, stopMs] of talksMs) {
          // What ends within 100 ms behind a cut has no word in it.
          if (stopMs - startMs < 100) continue
          for (let atMs = startMs; atMs < stopMs - 60; atMs += 10) {
            if (!heardMs(atMs)) expect.fail(`talk at ${atMs} ms is in no utterance`)
          }
        }
      }),
      { numRuns: 40 },
    )
  })

  it('says the same whatever the sizes in which audio comes, and settles in their order', () => {
    const { samples } = talkInTurns([300, 2000, 700, 7000, 250, 900, 500, 4000])
    const expected = cut(samples)
    expect(expected.length).toBeGreaterThan(3)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1 }), (sizes) => {
        const cutter = new UtteranceCutter()
        const utterances: Utterance[] = []
        let settledMs = 0
        for (let at = 0, turn = 0; at < samples.length; turn++) {
          const size = sizes[turn % sizes.length] as number
          cutter.push(samples.subarray(at, at + size))
          at += size
          const fresh = cutter.take()
          if (fresh.some((utterance) => utterance.startMs < settledMs)) {
            expect.fail(`an utterance starts before ${settledMs} ms, which was settled`)
          }
          utterances.push(...fresh)
          if (cutter.settledMs < settledMs) expect.fail('what was settled is not any more')
          settledMs = cutter.settledMs
        }
        cutter.flush()
        utterances.push(...cutter.take())
        expect(utterances.map(({ startMs }) => startMs)).toEqual(
          expected.map(({ startMs }) => startMs),
        )
        for (const [index, { samples: cutSamples }] of utterances.entries()) {
          expect(isSame(cutSamples, (expected[index] as Utterance).samples)).toBe(true)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('settles silence at once', () => {
    const cutter = new UtteranceCutter()
    for (let fedMs = 80; fedMs <= 20_000; fedMs += 80) {
      cutter.push(new Int16Array(1280))
      expect(fedMs - cutter.settledMs).toBeLessThanOrEqual(290)
    }
  })
})
