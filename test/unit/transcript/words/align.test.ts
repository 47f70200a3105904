import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  alignDeltas,
  continuesGroup,
  GROUP_PIECES_MAX,
  GroupAligner,
  lastStepOf,
  stepAt,
  type WordGroup,
} from '../../../../src/transcript/words/align.js'
import { deltasArbitrary } from '../transcript-arbitrary.js'

const FIRST_LEG = { leg: 0, legStartMs: 0, stepMs: 80 }

describe('alignDeltas', () => {
  it.each<[string, string[], WordGroup[]]>([
    ['nothing', [], []],
    ['blanks only', ['', '', ''], []],
    ['a marker, then a word', ['', ' had'], [{ text: ' had', endMs: 80, leg: 0, step: 1 }]],
    ['text at the very first step', [' a'], [{ text: ' a', endMs: 0, leg: 0, step: 0 }]],
    [
      'subwords make one group',
      ['', '', ' tran', 'scri', 'be', ''],
      [
        {
          text: ' transcribe',
          endMs: 160,
          leg: 0,
          step: 2,
          pieces: [
            [2, 0],
            [3, 5],
            [4, 9],
          ],
        },
      ],
    ],
    [
      'an empty delta parts two groups',
      [' a', '', ' b'],
      [
        { text: ' a', endMs: 0, leg: 0, step: 0 },
        { text: ' b', endMs: 160, leg: 0, step: 2 },
      ],
    ],
  ])('%s', (_, deltas, groups) => {
    expect(alignDeltas(deltas, FIRST_LEG)).toStrictEqual(groups)
  })

  it('counts from the start of the leg, and says which one', () => {
    const groups = alignDeltas(['', '', '', ' had'], { leg: 3, legStartMs: 60_000, stepMs: 80 })
    expect(groups).toStrictEqual([{ text: ' had', endMs: 60_240, leg: 3, step: 3 }])
  })

  it('keeps every character at its step', () => {
    fc.assert(
      fc.property(deltasArbitrary, (deltas) => {
        const groups = alignDeltas(deltas, FIRST_LEG)
        expect(groups.map((group) => group.text).join('')).toBe(deltas.join(''))
        for (const group of groups) {
          expect(group.endMs).toBe(group.step * 80)
          expect(deltas[group.step - 1] ?? '').toBe('')
          expect(deltas[lastStepOf(group) + 1] ?? '').toBe('')
          const starts = group.pieces ?? [[group.step, 0] as const]
          starts.forEach(([step, charOffset], index) => {
            const until = starts[index + 1]?.[1] ?? group.text.length
            expect(group.text.slice(charOffset, until)).toBe(deltas[step])
            expect(stepAt(group, charOffset)).toBe(step)
            expect(stepAt(group, until - 1)).toBe(step)
          })
        }
      }),
    )
  })
})

describe('GroupAligner', () => {
  it('gives a group with the empty delta that ends it, and the last one when flushed', () => {
    const aligner = new GroupAligner(FIRST_LEG)
    expect([' a', 'b', '', ' c'].map((delta) => aligner.push(delta)?.text ?? null)).toStrictEqual([
      null,
      null,
      ' ab',
      null,
    ])
    expect(aligner.flush()?.text).toBe(' c')
    expect(aligner.flush()).toBeNull()
  })

  it('cuts a run at its cap, so that the parts are known as one run', () => {
    const deltas = Array.from({ length: GROUP_PIECES_MAX + 2 }, () => ' x')
    const groups = alignDeltas([...deltas, '', ' y'], FIRST_LEG)
    const [first, second, third] = groups as [WordGroup, WordGroup, WordGroup]
    expect(groups).toHaveLength(3)
    expect(first.pieces).toHaveLength(GROUP_PIECES_MAX)
    expect(second.step).toBe(GROUP_PIECES_MAX)
    expect(continuesGroup(second, first)).toBe(true)
    expect(continuesGroup(third, second)).toBe(false)
  })

  it('holds the same as a leg that is aligned at once, wherever it is looked at', () => {
    fc.assert(
      fc.property(deltasArbitrary, fc.nat(), (deltas, pick) => {
        const at = pick % (deltas.length + 1)
        const aligner = new GroupAligner(FIRST_LEG)
        const ended = (part: readonly string[]) =>
          part.flatMap((delta) => aligner.push(delta) ?? [])
        const before = ended(deltas.slice(0, at))
        const writing = aligner.writing()
        // What is being written is what a session that ended here would have.
        expect([...before, ...(writing ? [writing] : [])]).toStrictEqual(
          alignDeltas(deltas.slice(0, at), FIRST_LEG),
        )
        const after = ended(deltas.slice(at))
        const last = aligner.flush()
        expect([...before, ...after, ...(last ? [last] : [])]).toStrictEqual(
          alignDeltas(deltas, FIRST_LEG),
        )
      }),
    )
  })

  it('cuts endless talk into parts that hold every delta once', () => {
    const talk = fc.integer({ min: GROUP_PIECES_MAX - 2, max: 3 * GROUP_PIECES_MAX + 2 })
    fc.assert(
      fc.property(talk, (count) => {
        const deltas = Array.from({ length: count }, (_, step) => ` ${step}`)
        const groups = alignDeltas(deltas, FIRST_LEG)
        expect(groups.map(({ text }) => text).join('')).toBe(deltas.join(''))
        for (const [at, group] of groups.entries()) {
          expect(group.pieces?.length ?? 1).toBeLessThanOrEqual(GROUP_PIECES_MAX)
          const before = groups[at - 1]
          if (before) expect(continuesGroup(group, before)).toBe(true)
        }
      }),
      { numRuns: 20 },
    )
  })
})
