import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Generation } from '../../../../gpu/standin/engine/generation.js'
import type { RecognizerFactory } from '../../../../gpu/standin/recognizers/recognizer.js'
import { deltasDue, deltasTotal, samplesForDelta } from '../../../../src/model/step-law.js'
import { createScriptedFactory } from '../../../fakes/scripted-recognizer.js'
import { createSilentFactory } from '../../../fakes/silent-recognizer.js'

function generationOf(
  recognizer: RecognizerFactory,
  { maxModelLen = 10_000, rightPadding = true } = {},
): Generation {
  return new Generation({ recognizer, maxModelLen, rightPadding, onProgress: () => {} })
}

/** Takes every delta that can come now. */
function takeAll(generation: Generation): string[] {
  const texts: string[] = []
  while (generation.state === 'delta') texts.push(generation.take({ blank: false }))
  return texts
}

describe('a generation', () => {
  it('gives the first delta for 9,000 samples and not for one less', () => {
    const generation = generationOf(createSilentFactory())
    generation.feed(new Int16Array(8999))
    expect(generation.state).toBe('waiting')
    expect(generation.isStarted).toBe(false)
    generation.feed(new Int16Array(1))
    expect(generation.isStarted).toBe(true)
    expect(takeAll(generation)).toEqual([''])
  })

  it('gives as many deltas as the step law says, however the audio is cut', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(cuts, (lengths) => {
        const generation = generationOf(createSilentFactory())
        let samples = 0
        for (const length of lengths) {
          samples += length
          generation.feed(new Int16Array(length))
          takeAll(generation)
          expect(generation.deltas).toBe(deltasDue(samples))
        }
        generation.end()
        takeAll(generation)
        expect(generation.state).toBe('done')
        expect(generation.deltas).toBe(deltasTotal(samples))
      }),
    )
  })

  it('is done at once without any audio', () => {
    const generation = generationOf(createSilentFactory())
    generation.end()
    expect(generation.state).toBe('done')
    expect(generation.isStarted).toBe(false)
  })

  it('holds a delta back until its text is known', () => {
    const words = [{ text: 'hello', endMs: 1000 }]
    const generation = generationOf(createScriptedFactory(words, { lateMs: 2000 }))
    generation.feed(new Int16Array(32_000))
    expect(takeAll(generation)).toHaveLength(0)
    generation.feed(new Int16Array(32_000))
    const texts = takeAll(generation)
    expect(texts).toHaveLength(25) // 4 s are heard and 2 s known: the deltas up to 1.96 s
    expect(texts.indexOf(' hello')).toBe(13)
    generation.end()
    takeAll(generation)
    expect(generation.state).toBe('done')
    expect(generation.text).toBe(' hello')
  })

  it('loses no word at the end of the audio, in time or late', () => {
    const count = fc.integer({ min: 1, max: 60 })
    const name = fc.constantFrom('tones' as const, 'moonshine' as const)
    fc.assert(
      fc.property(count, fc.nat(3000), name, (spoken, lateMs, recognizer) => {
        const words = Array.from({ length: spoken }, (_, index) => ({
          text: `exaggeration${index}`,
          endMs: (index + 1) * 40,
        }))
        const generation = generationOf(createScriptedFactory(words, { name: recognizer, lateMs }))
        generation.feed(new Int16Array(spoken * 640))
        const texts = takeAll(generation)
        generation.end()
        texts.push(...takeAll(generation))
        expect(generation.state).toBe('done')
        expect(generation.text).toBe(words.map(({ text }) => ` ${text}`).join(''))
        expect(texts.join('')).toBe(generation.text)
      }),
    )
  })

  it('ends early at the length limit, final or not', () => {
    const generation = generationOf(createSilentFactory(), { maxModelLen: 100 })
    generation.feed(new Int16Array(samplesForDelta(59)))
    expect(takeAll(generation)).toHaveLength(60)
    expect(generation.state).toBe('waiting')
    generation.feed(new Int16Array(1280))
    takeAll(generation)
    expect(generation.deltas).toBe(61)
    expect(generation.state).toBe('done')
    expect(generation.isCapped).toBe(true)

    const padded = generationOf(createSilentFactory(), { maxModelLen: 100 })
    padded.feed(new Int16Array(samplesForDelta(59)))
    padded.end()
    takeAll(padded)
    expect(padded.deltas).toBe(61)
    expect(padded.isCapped).toBe(true)
  })

  it('gives no delta and no text after the last audio when it imitates builds without right padding', () => {
    const heard = deltasDue(32_000) * 80
    const words = [
      { text: 'heard', endMs: heard - 80 },
      { text: 'lost', endMs: 1999 },
    ]
    const generation = generationOf(createScriptedFactory(words), { rightPadding: false })
    generation.feed(new Int16Array(32_000))
    generation.end()
    expect(takeAll(generation)).toHaveLength(deltasDue(32_000))
    expect(generation.text).toBe(' heard')
  })

  it('loses the text of a blank delta, from `done` too', () => {
    const generation = generationOf(createScriptedFactory([{ text: 'gone', endMs: 0 }]))
    generation.feed(new Int16Array(16_000))
    expect(generation.take({ blank: true })).toBe('')
    takeAll(generation)
    expect(generation.text).toBe('')
  })
})
