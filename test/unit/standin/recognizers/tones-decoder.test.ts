import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RecognizedWord } from '../../../../gpu/standin/recognizers/recognizer.js'
import { ToneDecoder } from '../../../../gpu/standin/recognizers/tones-decoder.js'
import { createTonesFactory } from '../../../../gpu/standin/recognizers/tones-recognizer.js'
import { ToneSpectrum } from '../../../../gpu/standin/recognizers/tones-spectrum.js'
import { samplesToMs } from '../../../../src/model/pcm.js'
import { encodeTones, type ToneWord } from '../../../fakes/tone-encoder.js'
import { mixed, whiteNoise } from '../../../fakes/tone-noise.js'
import { toneScript } from '../../../fakes/tone-script.js'

const spectrum = new ToneSpectrum()

function decode(samples: Int16Array): RecognizedWord[] {
  const decoder = new ToneDecoder(spectrum)
  decoder.push(samples)
  decoder.flush()
  return decoder.take()
}

/** Every word once, in order, with its end where it was said. */
function expectHeard(heard: readonly RecognizedWord[], said: readonly ToneWord[]): void {
  expect(heard.map(({ text }) => text)).toEqual(said.map(({ text }) => text))
  const errorsMs = heard.map(({ endMs }, index) =>
    Math.abs(endMs - (said[index] as ToneWord).endMs),
  )
  expect(Math.max(...errorsMs)).toBeLessThanOrEqual(10)
}

const DURATION_MS = 10_000
const WORDS = toneScript({ seed: 11, count: 41, everyMs: 240 })
const AUDIO = encodeTones({ words: WORDS, durationMs: DURATION_MS })
/** RMS of a chord as `encodeTones` says it at gain 1. */
const CHORD_RMS = 32_767 * (0.8 / 5) * Math.sqrt(5 / 2)

describe('ToneDecoder', () => {
  it('hears words at the closest spacing', () => {
    expectHeard(decode(AUDIO), WORDS)
  })

  it('hears every one of 2,000 words', () => {
    const words = toneScript({ seed: 1, count: 2000, everyMs: 240 })
    expectHeard(decode(encodeTones({ words, durationMs: 480_000 })), words)
  })

  it('hears the first and the last moment of the audio', () => {
    const words = [
      { text: 'babad', endMs: 120 },
      { text: 'zuzuz', endMs: 1000 },
    ]
    expectHeard(decode(encodeTones({ words, durationMs: 1000 })), words)
  })

  it('hears a word again that is said again', () => {
    const words = [500, 740, 980].map((endMs) => ({ text: 'lusab', endMs }))
    expectHeard(decode(encodeTones({ words, durationMs: 1200 })), words)
  })

  it.each([20, 10, 6, 3])('hears words that stand %s dB above white noise', (snrDb) => {
    const gain = 0.3
    const rms = CHORD_RMS * gain * 10 ** (-snrDb / 20)
    const noise = whiteNoise({ seed: snrDb, samples: AUDIO.length, rms })
    const quiet = encodeTones({ words: WORDS, durationMs: DURATION_MS, gain })
    expectHeard(decode(mixed(quiet, noise)), WORDS)
  })

  it('hears words of which 20 dB and half of two channels are lost', () => {
    const faint = encodeTones({ words: WORDS, durationMs: DURATION_MS, gain: 0.05 })
    const noise = whiteNoise({ seed: 2, samples: faint.length, rms: 30 })
    expectHeard(decode(mixed(faint, noise)), WORDS)
  })

  it('hears nothing in silence, without a look at it', () => {
    const decoder = new ToneDecoder(spectrum)
    decoder.push(new Int16Array(960_000))
    decoder.flush()
    expect(decoder.take()).toEqual([])
    expect(decoder.spectra).toBe(0)
  })

  it('hears nothing in a minute of noise, with one look in 20 ms', () => {
    const decoder = new ToneDecoder(spectrum)
    decoder.push(whiteNoise({ seed: 3, samples: 960_000, rms: 3000 }))
    expect(decoder.take()).toEqual([])
    expect(decoder.spectra).toBe(3000)
  })

  it('hears no word in a part of one, nor in one that goes on', () => {
    const [at, length] = [500 * 16, 120 * 16]
    const word = encodeTones({ words: [{ text: 'lusab', endMs: 620 }], durationMs: 1000 })
    const sound = word.slice(at, at + length)
    const placed = (part: Int16Array) => {
      const samples = new Int16Array(16_000)
      samples.set(part, at)
      return decode(samples)
    }
    expect(placed(sound)).toHaveLength(1)
    expect(placed(sound.subarray(0, length / 3))).toEqual([])
    const middle = sound.subarray(length / 4, (3 * length) / 4)
    const long = new Int16Array(8 * middle.length)
    for (let part = 0; part < 8; part++) long.set(middle, part * middle.length)
    expect(placed(long)).toEqual([])
  })

  it('says the same whatever the sizes in which audio comes', () => {
    const expected = decode(AUDIO)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1 }), (sizes) => {
        const decoder = new ToneDecoder(spectrum)
        const heard: RecognizedWord[] = []
        for (let at = 0, turn = 0; at < AUDIO.length; turn++) {
          const size = sizes[turn % sizes.length] as number
          decoder.push(AUDIO.subarray(at, at + size))
          heard.push(...decoder.take())
          at += size
        }
        decoder.flush()
        expect([...heard, ...decoder.take()]).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })
})

describe('tones recognizer', () => {
  it('settles within 60 ms, and no word turns up in what is settled', () => {
    const recognizer = createTonesFactory().create(() => {})
    const heard: RecognizedWord[] = []
    let settledMs = recognizer.settledMs
    for (let at = 0; at < AUDIO.length; at += 77) {
      recognizer.feed(AUDIO.subarray(at, at + 77))
      const fresh = recognizer.take()
      for (const { endMs } of fresh) expect(endMs).toBeGreaterThanOrEqual(settledMs)
      heard.push(...fresh)
      if (recognizer.settledMs < settledMs) expect.fail('what was settled is not any more')
      settledMs = recognizer.settledMs
      const fedMs = samplesToMs(Math.min(at + 77, AUDIO.length))
      expect(fedMs - settledMs).toBeLessThanOrEqual(60)
    }
    recognizer.end()
    expect(recognizer.settledMs).toBe(Number.POSITIVE_INFINITY)
    expectHeard([...heard, ...recognizer.take()], WORDS)
    expect(recognizer.take()).toEqual([])
    recognizer.close()
  })

  it('keeps sessions apart', () => {
    const factory = createTonesFactory()
    const sessions = Array.from({ length: 5 }, (_, seed) => {
      const words = toneScript({ seed, count: 10, everyMs: 400, startMs: 40 * seed })
      const audio = encodeTones({ words, durationMs: 5000 })
      return { words, audio, recognizer: factory.create(() => {}) }
    })
    for (let at = 0; at < 80_000; at += 1280) {
      for (const { audio, recognizer } of sessions) recognizer.feed(audio.subarray(at, at + 1280))
    }
    for (const { words, recognizer } of sessions) {
      recognizer.end()
      expectHeard(recognizer.take(), words)
    }
  })
})
