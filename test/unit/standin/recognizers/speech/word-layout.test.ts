import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { layWords } from '../../../../../gpu/standin/recognizers/speech/word-layout.js'

const speechOf = (text: string) => Uint8Array.from(text, (each) => (each === '#' ? 1 : 0))
const endsOf = (words: string[], pattern: string, startMs = 0) =>
  layWords(words, { speech: speechOf(pattern), startMs }).map(({ endMs }) => endMs)

describe('words laid over speech', () => {
  it('end in proportion to their letters', () => {
    expect(endsOf(['a', 'bc,', 'd'], '..###########..', 1000)).toEqual([
      1000 + 64 + 32 * 3,
      1000 + 64 + 32 * 8,
      1000 + 64 + 32 * 11,
    ])
  })

  it('leave the pauses of their utterance free', () => {
    expect(endsOf(['one', 'two'], '.####....####.')).toEqual([32 * 5, 32 * 13])
  })

  it('end in order, within speech', () => {
    const word = fc.stringMatching(/^[a-z]{1,12}[.,]?$/)
    const words = fc.array(word, { minLength: 1, maxLength: 30 })
    const pattern = fc.array(fc.constantFrom('#', '.'), { minLength: 3, maxLength: 250 })
    fc.assert(
      fc.property(words, pattern, (said, marks) => {
        const text = ['#', ...marks].join('')
        const endsMs = endsOf(said, text)
        expect(endsMs).toEqual([...endsMs].sort((a, b) => a - b))
        expect(endsMs.at(-1)).toBeCloseTo((text.lastIndexOf('#') + 1) * 32)
        for (const endMs of endsMs) expect(text[Math.ceil(endMs / 32 - 1e-6) - 1]).toBe('#')
      }),
    )
  })
})
