import { describe, expect, it } from 'vitest'
import { heardWords } from '../../../../../gpu/standin/recognizers/speech/heard-words.js'

const heard = (text: string, speechMs: number, tokens = text.trim().split(/\s+/).length) =>
  heardWords({ text, tokens }, speechMs).join(' ')

describe('the words that are believed', () => {
  it.each([
    ['Good morning, everyone.', 1200, 5],
    ['Yes.', 224, 2],
    ['Laughed.', 320, 4],
    ['No, no, no', 160, 5],
    ['Ah, that is a good story. Ah, that is a good story.', 2144, 18],
    ['Thank you very much.', 900, 5],
  ])('%s', (text, speechMs, tokens) => {
    expect(heard(text, speechMs, tokens)).toBe(text)
  })

  it.each([
    ['You', 224, 1],
    ['Um.', 160, 2],
    ['Thank you.', 320, 3],
    ["It's a bit difficult.", 160, 7],
    ["I'm going to tell you about the first time I've been to a place where", 1728, 29],
    ['', 3000, 0],
    [' ... ', 3000, 1],
  ])('not %j', (text, speechMs, tokens) => {
    expect(heard(text, speechMs, tokens)).toBe('')
  })

  it('keeps a phrase once that goes round and round', () => {
    const round = 'a bit of a bit of a bit of a bit of a bit of'
    expect(heard(`It is ${round} work`, 4000)).toBe('It is a bit of work')
    expect(heard('no No, no no no. Never', 4000)).toBe('no Never')
    expect(heard('no, no, no. Never', 4000)).toBe('no, no, no. Never')
  })
})
