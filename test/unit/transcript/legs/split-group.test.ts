import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitGroup } from '../../../../src/transcript/legs/split-group.js'
import {
  alignDeltas,
  lastStepOf,
  stepAt,
  type WordGroup,
} from '../../../../src/transcript/words/align.js'
import { wordsOfGroups } from '../../../../src/transcript/words/words.js'
import { deltasArbitrary, STEP_MS } from '../transcript-arbitrary.js'

const groupsOf = (deltas: readonly string[]) =>
  alignDeltas(deltas, { leg: 2, legStartMs: 8_000, stepMs: STEP_MS })

describe('splitGroup', () => {
  it('leaves every piece at its step, and says which part has lost its beginning', () => {
    const [group] = groupsOf(['', ' tran', 'scribe', ' it', ' all']) as [WordGroup]
    expect(splitGroup(group, 11, STEP_MS)).toStrictEqual([
      {
        text: ' transcribe',
        endMs: 8_080,
        leg: 2,
        step: 1,
        pieces: [
          [1, 0],
          [2, 5],
        ],
      },
      {
        text: ' it all',
        endMs: 8_240,
        leg: 2,
        step: 3,
        pieces: [
          [3, 0],
          [4, 3],
        ],
        isTail: true,
      },
    ])
  })

  it('parts words that came in one delta', () => {
    const [group] = groupsOf([' so it is']) as [WordGroup]
    expect(splitGroup(group, 3, STEP_MS)).toStrictEqual([
      { text: ' so', endMs: 8_000, leg: 2, step: 0 },
      { text: ' it is', endMs: 8_000, leg: 2, step: 0, isTail: true },
    ])
  })

  it('counts a space in a delta of its own to the word after it', () => {
    const [group] = groupsOf([' so', ' ', 'it']) as [WordGroup]
    expect(splitGroup(group, 3, STEP_MS)[1]).toStrictEqual({
      text: ' it',
      endMs: 8_160,
      leg: 2,
      step: 2,
      isTail: true,
    })
  })

  it('gives words that never claim an exact end for what was cut', () => {
    const [group] = groupsOf(['', ' a', ' b']) as [WordGroup]
    const legs = [{ index: 2, startMs: 8_000, endMs: 20_000, timing: 'token-step' as const }]
    const options = { stepMs: STEP_MS, durationMs: 20_000, legs }
    const [head, tail] = splitGroup(group, 2, STEP_MS)
    const [first] = wordsOfGroups([head], options)
    const [second] = wordsOfGroups([tail], options)
    expect(first).toMatchObject({ text: 'a', endMs: 8_080, interpolated: { end: false } })
    expect(second).toMatchObject({ text: 'b', endMs: 8_160, interpolated: { end: true } })
  })

  it('keeps all text, and every visible character at its step', () => {
    const cases = fc
      .tuple(deltasArbitrary, fc.nat(), fc.nat())
      .map(([deltas, which, where]) => {
        const groups = groupsOf(deltas).filter(({ text }) => text.trim().length > 1)
        const group = groups[which % Math.max(1, groups.length)]
        return group ? { group, at: 1 + (where % (group.text.length - 1)) } : null
      })
      .filter((made) => made !== null)
    fc.assert(
      fc.property(cases, ({ group, at }) => {
        const [head, tail] = splitGroup(group, at, STEP_MS)
        expect(head.text + tail.text).toBe(group.text)
        expect(lastStepOf(head)).toBeLessThanOrEqual(tail.step)
        expect(tail.endMs - group.endMs).toBe((tail.step - group.step) * STEP_MS)
        for (let offset = 0; offset < group.text.length; offset += 1) {
          if (/\s/.test(group.text[offset] as string)) continue
          const step = offset < at ? stepAt(head, offset) : stepAt(tail, offset - at)
          expect(step).toBe(stepAt(group, offset))
        }
      }),
      { numRuns: 300 },
    )
  })
})
