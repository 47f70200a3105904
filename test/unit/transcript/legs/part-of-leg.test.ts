import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupsBefore, isWithinRun } from '../../../../src/transcript/legs/part-of-leg.js'
import { alignDeltas, lastStepOf } from '../../../../src/transcript/words/align.js'

const STEP_MS = 80
const deltas = fc.array(fc.constantFrom('', '', ' a', 'b', ' word', 'ly'), { maxLength: 60 })
const clock = { leg: 0, legStartMs: 1_000, stepMs: STEP_MS }

describe('the part of a leg before a step', () => {
  it('is what the deltas before it say, wherever it is cut', () => {
    fc.assert(
      fc.property(deltas, fc.nat(70), (all, step) => {
        const part = groupsBefore(alignDeltas(all, clock), step, STEP_MS)
        expect(part.map(({ text }) => text).join('')).toBe(all.slice(0, step).join(''))
        expect(part.every((group) => lastStepOf(group) < step)).toBe(true)
      }),
    )
  })

  it('is the whole leg that ended there, where no run goes across', () => {
    fc.assert(
      fc.property(deltas, fc.nat(70), (all, step) => {
        const groups = alignDeltas(all, clock)
        fc.pre(!isWithinRun(groups, step))
        const ended = alignDeltas(all.slice(0, step), clock)
        expect(groupsBefore(groups, step, STEP_MS)).toEqual(ended)
      }),
    )
  })

  it('is within a run exactly where a delta with text stands on both sides', () => {
    fc.assert(
      fc.property(deltas, fc.nat(70), (all, step) => {
        const isWithin = (all[step - 1] ?? '') !== '' && (all[step] ?? '') !== ''
        expect(isWithinRun(alignDeltas(all, clock), step)).toBe(isWithin)
      }),
    )
  })
})
