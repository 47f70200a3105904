import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alignDeltas, GROUP_PIECES_MAX } from '../../../../src/transcript/words/align.js'
import { joinText } from '../../../../src/transcript/words/line-breaking.js'
import { type WordLeg, wordsOfGroups } from '../../../../src/transcript/words/words.js'
import { deltasArbitrary, laneOf, STEP_MS, squeezed } from '../transcript-arbitrary.js'

function wordsOf(deltas: readonly string[], changes: Partial<WordLeg> = {}, durationMs = 60_000) {
  const leg: WordLeg = {
    index: 0,
    startMs: 0,
    endMs: durationMs,
    timing: 'token-step',
    ...changes,
  }
  const groups = alignDeltas(deltas, { leg: 0, legStartMs: leg.startMs, stepMs: STEP_MS })
  return wordsOfGroups(groups, { stepMs: STEP_MS, durationMs, legs: [leg] })
}

const blanks = (count: number) => Array.from({ length: count }, () => '')

describe('ends of words', () => {
  it('are exact for the word that opens a group, whatever its pieces', () => {
    const [word] = wordsOf([...blanks(10), ' tran', 'scri', 'be'])
    expect(word).toMatchObject({ text: 'transcribe', endMs: 800, step: 10, group: 0 })
    expect(word?.interpolated).toStrictEqual({ start: true, end: false })
  })

  it('are the step of the first piece for later words of a group, and marked', () => {
    const words = wordsOf([...blanks(10), ' tran', 'scribe', ' it', ' all'])
    expect(words.map((word) => [word.text, word.endMs, word.step, word.interpolated.end])).toEqual([
      ['transcribe', 800, 10, false],
      ['it', 960, 12, true],
      ['all', 1_040, 13, true],
    ])
  })

  it('are spread where one delta brings several words', () => {
    const words = wordsOf([...blanks(10), ' so it is', '', ' good'])
    expect(words.map((word) => [word.endMs, word.interpolated.end])).toEqual([
      [800, false],
      [820, true],
      [840, true],
      [960, false],
    ])
  })

  it('count a space that came in a delta of its own to the word after it', () => {
    expect(wordsOf([...blanks(5), ' ', 'had'])).toMatchObject([
      { text: 'had', endMs: 400, step: 5 },
    ])
  })

  it('lie in their leg and in the recording', () => {
    const deltas = [...blanks(20), ' end', '', ' tail', '', ' more']
    const words = wordsOf(deltas, { endMs: 1_700 }, 1_700)
    expect(words.map((word) => [word.text, word.endMs, word.interpolated.end])).toEqual([
      ['end', 1_600, false],
      ['tail', 1_680, true],
      ['more', 1_700, true],
    ])
  })

  it('are never exact in a leg whose steps are not sure', () => {
    const words = wordsOf([...blanks(4), ' a', '', ' b'], { timing: 'estimated' })
    expect(words.map((word) => word.interpolated.end)).toStrictEqual([true, true])
  })

  it('are not exact where a run was cut at its cap', () => {
    const words = wordsOf(
      Array.from({ length: GROUP_PIECES_MAX + 1 }, () => ' x'),
      {},
      600_000,
    )
    expect(words.at(-1)).toMatchObject({ group: 1, interpolated: { end: true } })
  })
})

describe('starts of words', () => {
  it('are what the word takes to say before its end', () => {
    expect(wordsOf([...blanks(50), ' had'])).toMatchObject([{ startMs: 4_000 - 60 - 3 * 70 }])
  })

  it('are at most 900 ms before the end', () => {
    expect(wordsOf([...blanks(50), ` ${'x'.repeat(200)}`])).toMatchObject([{ startMs: 3_100 }])
  })

  it('are not before the end of the word before', () => {
    expect(wordsOf([...blanks(50), ' had', '', ' been'])[1]).toMatchObject({
      startMs: 4_000,
      endMs: 4_160,
    })
  })

  it('are not before their leg', () => {
    const words = wordsOf(['', ' word'], { startMs: 8_000 })
    expect(words).toMatchObject([{ startMs: 8_000, endMs: 8_080 }])
  })
})

describe('where words part', () => {
  it.each<[string, string[], string[]]>([
    ['spaces', [' a b', ' c'], ['a', 'b', 'c']],
    ['text that was held back joins its word', [' caf', '', '', 'é'], ['café']],
    ['text long after does not', [' one', ...blanks(4), 'two'], ['one', 'two']],
    ['punctuation joins however late', [' one', ...blanks(20), '.'], ['one.']],
    ['punctuation after a space does not', [' one', '', ' …'], ['one', '…']],
    ['a space of its own parts', [' one', '', ' ', '', 'two'], ['one', 'two']],
    ['a space at the end parts', [' one ', '', 'two'], ['one', 'two']],
    ['control characters part', [' one\u0000two'], ['one', 'two']],
    [
      'a group without spaces is one word',
      ['北京', '大学', '', '東京', '', '。'],
      ['北京大学', '東京。'],
    ],
    ['only punctuation', [' ...', '', ' ?!'], ['...', '?!']],
    ['only spaces', [' ', '\n', '', '\t'], []],
    ['emoji', [' 👩‍👩‍👧‍👦', '', '👍🏽'], ['👩‍👩‍👧‍👦👍🏽']],
    ['right to left', [' שלום', '', ' עולם'], ['שלום', 'עולם']],
  ])('%s', (_, deltas, texts) => {
    expect(wordsOf(deltas).map((word) => word.text)).toStrictEqual(texts)
  })

  it('no space stands in scripts that have none', () => {
    expect(joinText(wordsOf([' 北京', '', '大学', '', ' AI']))).toBe('北京大学 AI')
  })

  it('a new leg begins a new word', () => {
    const lane = laneOf(null, [{ deltas: ['', ' one'] }, { deltas: ['two'] }])
    const words = wordsOfGroups(lane.groups, { ...lane, stepMs: STEP_MS, durationMs: lane.endMs })
    expect(joinText(words)).toBe('one two')
  })
})

describe('words of any groups', () => {
  const legs = fc.array(fc.record({ deltas: deltasArbitrary, tailSteps: fc.constantFrom(0, 17) }), {
    minLength: 1,
    maxLength: 3,
  })

  it('rise, never overlap, never vanish, and lose no text', () => {
    fc.assert(
      fc.property(legs, (made) => {
        const lane = laneOf(null, made)
        const durationMs = lane.endMs
        const words = wordsOfGroups(lane.groups, { legs: lane.legs, stepMs: STEP_MS, durationMs })
        let reachedMs = 0
        for (const word of words) {
          expect(word.startMs).toBeGreaterThanOrEqual(reachedMs)
          expect(word.endMs).toBeGreaterThan(word.startMs)
          expect(Number.isInteger(word.startMs) && Number.isInteger(word.endMs)).toBe(true)
          expect(word.text).toMatch(/^[^\s\p{Cc}]+$/u)
          reachedMs = word.endMs
        }
        expect(reachedMs).toBeLessThanOrEqual(Math.max(durationMs, words.length))
        const said = made.flatMap((leg) => leg.deltas).join('')
        expect(words.map((word) => word.text).join('')).toBe(squeezed(said))
      }),
      { numRuns: 300 },
    )
  })

  it('keep the exact end of their group', () => {
    fc.assert(
      fc.property(deltasArbitrary, (deltas) => {
        const lane = laneOf(null, [{ deltas }])
        const words = wordsOfGroups(lane.groups, {
          legs: lane.legs,
          stepMs: STEP_MS,
          durationMs: lane.endMs,
        })
        for (const word of words.filter((one) => !one.interpolated.end)) {
          expect(word.endMs).toBe(lane.groups[word.group]?.endMs)
          expect(word.step).toBe(lane.groups[word.group]?.step)
        }
      }),
    )
  })
})
