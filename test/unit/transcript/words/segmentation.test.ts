import { describe, expect, it } from 'vitest'
import { joinText } from '../../../../src/transcript/words/line-breaking.js'
import {
  endsSentence,
  type LegPiece,
  lineWidthMax,
  segmentWords,
} from '../../../../src/transcript/words/segmentation.js'
import { LIMITS } from '../transcript-arbitrary.js'

/** Words of 300 ms every 400 ms; a number before a word is a longer silence, `|` a new leg. */
function talk(script: string): LegPiece[] {
  const words: LegPiece[] = []
  let startMs = 0
  let leg = 0
  for (const token of script.split(' ')) {
    if (token === '|') leg += 1
    else if (/^\d+$/.test(token)) startMs += Number(token) - 100
    else {
      words.push({ text: token, spaced: true, startMs, endMs: startMs + 300, leg })
      startMs += 400
    }
  }
  return words
}

const segmentsOf = (script: string, limits = LIMITS) =>
  segmentWords(talk(script), limits, null).map(joinText)

describe('endsSentence', () => {
  it.each([
    ['done.', 'Next', true],
    ['done', 'Next', false],
    ['really?', 'Yes', true],
    ['“Stop!”', 'He', true],
    ['(all.)', 'Then', true],
    ['well…', 'Maybe', true],
    ['東京。', '北京', true],
    ['مرحبا؟', 'نعم', true],
    ['approx.', 'two', false],
    ['Dr.', 'Smith', false],
    ['J.', 'Smith', false],
    ['one,', 'Two', false],
  ])('between %j and %j: %j', (word, next, ends) => {
    expect(endsSentence(word, next)).toBe(ends)
  })
})

describe('segmentWords', () => {
  it.each<[string, string, string[]]>([
    ['nothing to split', 'so it is', ['so it is']],
    ['ends of sentences', 'It works. Good.', ['It works.', 'Good.']],
    ['a silence that is long enough', 'so 1500 it is', ['so', 'it is']],
    ['not a shorter one', 'so 1499 it is', ['so it is']],
    ['a new leg', 'so it | is', ['so it', 'is']],
    [
      'what does not fit, at the end of a clause',
      'one two three four five six seven eight nine, ten eleven twelve thirteen fourteen fifteen',
      [
        'one two three four five six seven eight nine,',
        'ten eleven twelve thirteen fourteen fifteen',
      ],
    ],
    [
      'else at the longest silence',
      'one two three four five six seven eight nine ten 600 eleven twelve thirteen fourteen last',
      ['one two three four five six seven eight nine ten', 'eleven twelve thirteen fourteen last'],
    ],
    [
      'else so that no few words are left alone',
      'a b c d e f g h i j k l m n o p q r s t',
      ['a b c d e f g h i j', 'k l m n o p q r s t'],
    ],
  ])('splits at %s', (_, script, segments) => {
    expect(segmentsOf(script)).toStrictEqual(segments)
  })

  it('makes none of no words', () => {
    expect(segmentWords([], LIMITS, null)).toStrictEqual([])
  })

  it('leaves a word alone that fits nowhere', () => {
    const long = 'x'.repeat(200)
    expect(segmentsOf(`see ${long} there`)).toStrictEqual(['see', long, 'there'])
  })
})

describe('lineWidthMax', () => {
  it('leaves room for the label of a channel, but at least half a line', () => {
    expect(lineWidthMax(LIMITS, null)).toBe(42)
    expect(lineWidthMax(LIMITS, 0)).toBe(42 - '[Channel 1] '.length)
    expect(lineWidthMax({ ...LIMITS, lineCharsMax: 15 }, 0)).toBe(8)
  })
})
