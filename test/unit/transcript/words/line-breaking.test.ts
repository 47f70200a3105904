import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  breakLines,
  chunksOf,
  joinText,
  linesNeeded,
  type TextPiece,
  textWidth,
} from '../../../../src/transcript/words/line-breaking.js'
import { squeezed } from '../transcript-arbitrary.js'

const piecesOf = (text: string): TextPiece[] =>
  text.split(' ').map((part) => ({ text: part, spaced: true }))

describe('textWidth', () => {
  it.each([
    ['', 0],
    ['plain', 5],
    ['e\u0301te\u0301', 3],
    ['👩‍👩‍👧‍👦👍🏽', 2],
    ['北京', 2],
    ['שלום', 4],
  ])('%j is %i', (text, width) => {
    expect(textWidth(text)).toBe(width)
  })
})

describe('breakLines', () => {
  it.each<[string, number, string[]]>([
    ['short', 42, ['short']],
    ['exactly ten', 11, ['exactly ten']],
    ['one line too long', 16, ['one line', 'too long']],
    ['lines are as even as they can be made', 30, ['lines are as even', 'as they can be made']],
    ['a b, c d e f', 9, ['a b,', 'c d e f']],
    ['xxxxxxxxxxxxxxxxxxxxxxxxx', 10, ['xxxxxxxxxx', 'xxxxxxxxxx', 'xxxxx']],
    ['tiny xxxxxxxxxxxx', 10, ['tiny', 'xxxxxxxxxx', 'xx']],
    ['👍🏽👍🏽👍🏽', 2, ['👍🏽👍🏽', '👍🏽']],
  ])('%j in lines of %i', (text, widthMax, lines) => {
    expect(breakLines(piecesOf(text), widthMax)).toStrictEqual(lines)
  })

  it('makes no lines of nothing', () => {
    expect(breakLines([], 10)).toStrictEqual([])
    expect(linesNeeded([], 10)).toBe(0)
  })

  it('puts no space where the script has none', () => {
    const pieces = ['北京', '大学', '東京', '大学'].map((text) => ({ text, spaced: false }))
    expect(breakLines(pieces, 4)).toStrictEqual(['北京大学', '東京大学'])
  })

  it('keeps all text in as few lines as fit, none empty and none too wide', () => {
    const piece = fc.record({
      text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).map(squeezed),
      spaced: fc.boolean(),
    })
    const pieces = fc.array(
      piece.filter(({ text }) => text !== ''),
      { minLength: 1, maxLength: 20 },
    )
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 40 }), (made, widthMax) => {
        const lines = breakLines(made, widthMax)
        expect(squeezed(lines.join(''))).toBe(squeezed(joinText(made)))
        expect(lines).toHaveLength(linesNeeded(made, widthMax))
        for (const line of lines) {
          expect(line.trim()).not.toBe('')
          expect(textWidth(line)).toBeLessThanOrEqual(widthMax)
        }
      }),
    )
  })
})

describe('chunksOf', () => {
  it('cuts between characters as people see them', () => {
    expect(chunksOf('abcde', 2)).toStrictEqual(['ab', 'cd', 'e'])
    expect(chunksOf('e\u0301e\u0301', 1)).toStrictEqual(['e\u0301', 'e\u0301'])
    expect(chunksOf('abc', 3)).toStrictEqual(['abc'])
  })
})
