import { describe, expect, it } from 'vitest'
import { codeOfWord, WORD_CODES, wordOfCode } from '../../../../gpu/standin/recognizers/proquint.js'

describe('proquint', () => {
  it('names every number of 16 bits by a word of its own and back', () => {
    const words = new Set<string>()
    for (let code = 0; code < WORD_CODES; code++) {
      const word = wordOfCode(code)
      words.add(word)
      if (codeOfWord(word) !== code) expect.fail(`${word} is not ${code}`)
    }
    expect(words.size).toBe(65_536)
    expect([...words].every((word) => /^([bdfghjklmnprstvz][aiou]){2}[^aiou]$/.test(word))).toBe(
      true,
    )
  })

  it('agrees with the published examples', () => {
    // 127.0.0.1 and 63.84.220.193 in the proposal
    expect([0x7f00, 0x0001, 0x3f54, 0xdcc1].map(wordOfCode)).toEqual([
      'lusab',
      'babad',
      'gutih',
      'tugad',
    ])
  })

  it.each(['', 'baba', 'babada', 'BABAD', 'bebad', 'cabad', 'baba ', 'aabad', 'bäbad'])(
    'knows that "%s" is no word',
    (word) => {
      expect(codeOfWord(word)).toBeNull()
    },
  )

  it.each([-1, 65_536, 1.5, Number.NaN])('has no word for %s', (code) => {
    expect(() => wordOfCode(code)).toThrow(RangeError)
  })
})
