import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { comparableWords, wordErrorRate } from '../../../../src/transcript/words/word-error-rate.js'

describe('comparableWords', () => {
  it.each([
    ['Good morning, everyone!', ['good', 'morning', 'everyone']],
    ["We don't; it’s “fine”.", ['we', "don't", "it's", 'fine']],
    [
      'a two-hour talk — at 10:30, for 3.5 hours',
      ['a', 'two', 'hour', 'talk', 'at', '10:30', 'for', '3.5', 'hours'],
    ],
    ['the years 2024, 2025.', ['the', 'years', '2024', '2025']],
    ["'quoted' rock 'n' roll", ['quoted', 'rock', 'n', 'roll']],
    ['Über Ångström', ['über', 'ångström']],
    ['  … – ! ', []],
  ])('%j', (text, words) => {
    expect(comparableWords(text)).toStrictEqual(words)
  })
})

describe('wordErrorRate', () => {
  it.each([
    ['the same', 'THE SAME.', [2, 0, 0, 0, 0]],
    ['one two three four', 'one too three four', [4, 1, 0, 0, 0.25]],
    ['one two three four', 'one two three', [4, 0, 0, 1, 0.25]],
    ['one two three four', 'one two and three four', [4, 0, 1, 0, 0.25]],
    ['one two', 'three four five six', [2, 2, 2, 0, 2]],
    ['', '', [0, 0, 0, 0, 0]],
    ['', 'something heard', [0, 0, 2, 0, 1]],
    ['nothing heard', '', [2, 0, 0, 2, 1]],
    ['a b c d e', 'b c d e f', [5, 0, 1, 1, 0.4]],
  ])('%j against %j', (reference, transcript, expected) => {
    const { words, substitutions, insertions, deletions, rate } = wordErrorRate(
      reference,
      transcript,
    )
    expect([words, substitutions, insertions, deletions, rate]).toStrictEqual(expected)
  })

  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })
    .map((w) => w.join(' '))

  it('is zero for a text against itself and only then', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(wordErrorRate(a, b).rate === 0).toBe(a === b)
      }),
    )
  })

  it('turns the reference into a transcript of exactly the right length', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const { words, insertions, deletions } = wordErrorRate(a, b)
        expect(words - deletions + insertions).toBe(comparableWords(b).length)
      }),
    )
  })

  it('needs as many edits in both directions', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const there = wordErrorRate(a, b)
        const back = wordErrorRate(b, a)
        const edits = (r: typeof there) => r.substitutions + r.insertions + r.deletions
        expect(edits(there)).toBe(edits(back))
      }),
    )
  })

  it('never counts more edits than were made', () => {
    const edit = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom('drop', 'add', 'change'),
    })
    fc.assert(
      fc.property(text, fc.array(edit, { maxLength: 5 }), (reference, edits) => {
        const words = comparableWords(reference)
        for (const { at, kind } of edits) {
          const index = at % (words.length + 1)
          if (kind === 'add') words.splice(index, 0, 'new')
          else if (kind === 'drop') words.splice(index, 1)
          else if (index < words.length) words[index] = 'other'
        }
        const found = wordErrorRate(reference, words.join(' '))
        const counted = found.substitutions + found.insertions + found.deletions
        expect(counted).toBeLessThanOrEqual(edits.length)
      }),
    )
  })
})
