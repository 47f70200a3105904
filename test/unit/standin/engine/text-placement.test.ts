import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  deltaIndexOf,
  subwords,
  TextPlacement,
  wholeWords,
} from '../../../../gpu/standin/engine/text-placement.js'

/** The texts of the first `count` deltas when all words are known before the first. */
function textsOf(words: Array<[text: string, endMs: number]>, count: number, split = wholeWords) {
  const placement = new TextPlacement(split)
  placement.place(words.map(([text, endMs]) => ({ text, endMs })))
  return Array.from({ length: count }, (_, index) => placement.take(index))
}

describe('text placement', () => {
  it('puts a word into the delta nearest to its end, after an empty one', () => {
    expect(textsOf([['alpha', 319]], 6)).toEqual(['', '', '', '', ' alpha', ''])
    expect(deltaIndexOf(0)).toBe(0)
    expect(deltaIndexOf(359)).toBe(4)
    expect(deltaIndexOf(360)).toBe(5)
  })

  it('puts the further pieces of a word into the deltas after', () => {
    expect(textsOf([['transcription', 160]], 6, subwords)).toEqual([
      '',
      '',
      ' tran',
      'scrip',
      'tion',
      '',
    ])
  })

  it('lets a word join the group before it when that is still being written', () => {
    const words: Array<[string, number]> = [
      ['overlapping', 160],
      ['words', 240],
      ['later', 640],
    ]
    expect(textsOf(words, 9, subwords)).toEqual([
      '',
      '',
      ' over',
      'lap',
      'ping',
      ' words',
      '',
      '',
      ' later',
    ])
  })

  it('never writes into a delta that is gone', () => {
    const placement = new TextPlacement(wholeWords)
    expect([0, 1, 2, 3].map((index) => placement.take(index))).toEqual(['', '', '', ''])
    placement.place([{ text: 'late', endMs: 80 }])
    expect(placement.take(4)).toBe(' late')
  })

  it('gives all that is left at the end', () => {
    const placement = new TextPlacement(subwords)
    placement.place([
      { text: 'remaining', endMs: 4000 },
      { text: 'words', endMs: 4400 },
    ])
    expect(placement.take(0)).toBe('')
    expect(placement.takeRest()).toBe(' remaining words')
    expect(placement.takeRest()).toBe('')
  })

  it('loses, doubles and swaps nothing, and writes no word before its time', () => {
    const spoken = fc.array(
      fc.record({ text: fc.stringMatching(/^[a-z]{1,15}$/), gapMs: fc.nat(900) }),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(spoken, fc.boolean(), (heard, whole) => {
        let endMs = 0
        const words = heard.map(({ text, gapMs }) => {
          endMs += gapMs
          return { text, endMs }
        })
        const placement = new TextPlacement(whole ? wholeWords : subwords)
        placement.place(words)
        const texts = Array.from({ length: 200 }, (_, index) => placement.take(index))
        const all = texts.join('') + placement.takeRest()
        expect(all).toBe(words.map(({ text }) => ` ${text}`).join(''))
        const starts = texts.flatMap((text, index) => (text.startsWith(' ') ? [index] : []))
        for (const [at, index] of starts.entries()) {
          expect(index).toBeGreaterThanOrEqual(deltaIndexOf(words[at]?.endMs ?? 0))
        }
      }),
    )
  })

  it('splits a word into pieces of at most five letters, and none of them empty', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\p{L}{1,40}$/u), (word) => {
        const pieces = subwords(word)
        expect(pieces.join('')).toBe(word)
        for (const piece of pieces) {
          expect([...piece].length).toBeGreaterThan(0)
          expect([...piece].length).toBeLessThanOrEqual(5)
        }
      }),
    )
  })
})
