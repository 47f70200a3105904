import { describe, expect, it } from 'vitest'
import { learnedPlan } from '../../../../src/admission/ledger/engine-limits.js'
import type { SessionLimit } from '../../../../src/admission/ledger/ledger.js'
import { chainOf, ledgerOf, legOf, planOf } from '../plans.js'

const NOW_MS = 10_000
const plan = planOf({ limits: { kvBlocks: 300, lanes: 20 } })

function learned(
  changes: Partial<SessionLimit> = {},
  { liveBlocks = 0, chains = [] as readonly ReturnType<typeof chainOf>[] } = {},
) {
  const ledger = ledgerOf(...chains)
  const limit = { ...ledger.limit, ...changes }
  return learnedPlan(plan, { ...ledger, limit }, { nowMs: NOW_MS, liveBlocks }).limits
}

describe('what is known about an engine', () => {
  it('is what its own figures say while nothing was learned', () => {
    expect(learnedPlan(plan, ledgerOf(), { nowMs: NOW_MS, liveBlocks: 0 })).toEqual(plan)
  })

  it('lowers its lanes to the knee, and to each penalty that is in force', () => {
    const penalty = (lanes: number, untilMs: number) => ({ lanes, untilMs })
    expect(learned({ knee: 12 }).lanes).toBe(12)
    expect(learned({ knee: 99 }).lanes).toBe(20)
    const penalties = [penalty(7, NOW_MS + 1), penalty(9, NOW_MS + 1), penalty(2, NOW_MS)]
    expect(learned({ knee: 12, penalties }).lanes).toBe(7)
    expect(learned({ knee: 5, penalties }).lanes).toBe(5)
  })

  it('takes off the blocks that the law is short of, but never more than there are', () => {
    expect(learned({ correctionBlocks: 40 }).kvBlocks).toBe(260)
    expect(learned({ correctionBlocks: 400 }).kvBlocks).toBe(0)
  })

  it('leaves sessions, steps and everything else as it is', () => {
    const limits = learned({ knee: 12, correctionBlocks: 40 })
    expect(limits).toEqual({ ...plan.limits, lanes: 12, kvBlocks: 260 })
  })
})

describe('the blocks that are kept for live sessions', () => {
  /** It holds what 113 frames need: the first was due 9 s ago. */
  const live = chainOf('live/0', [legOf({ frames: 500 })], { live: true })
  const batch = chainOf('batch/0', [legOf({ frames: 900 })])
  const held = plan.curve.blocksAfter(113)

  it('are nobody else’s, as far as no live session holds them', () => {
    expect(learned({}, { liveBlocks: 50 }).kvBlocks).toBe(250)
    expect(learned({}, { liveBlocks: 50, chains: [batch] }).kvBlocks).toBe(250)
    expect(learned({}, { liveBlocks: 50, chains: [batch, live] }).kvBlocks).toBe(250 + held)
    expect(held).toBeGreaterThan(5)
  })

  it('are never fewer than none', () => {
    expect(learned({}, { liveBlocks: held - 1, chains: [live] }).kvBlocks).toBe(300)
  })

  it('are there for a live session', () => {
    expect(learned({}, { liveBlocks: 0, chains: [live] }).kvBlocks).toBe(300)
  })
})
