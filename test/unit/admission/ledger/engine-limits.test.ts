import { describe, expect, it } from 'vitest'
import {
  learnedPlan,
  ledgerOfPart,
  planOfPart,
} from '../../../../src/admission/ledger/engine-limits.js'
import type { SessionLimit } from '../../../../src/admission/ledger/ledger.js'
import { changeOverPeak } from '../../../../src/admission/load/chain-peak.js'
import { chainOf, ledgerOf, legOf, planOf } from '../plans.js'

const NOW_MS = 10_000
const plan = planOf({ limits: { kvBlocks: 300, lanes: 20 } })

function learned(changes: Partial<SessionLimit> = {}) {
  const limit = { ...ledgerOf().limit, ...changes }
  return learnedPlan(plan, { ...ledgerOf(), limit }, { nowMs: NOW_MS }).limits
}

/** Both parts of the engine, once so many blocks were found missing. */
function parts(liveShare: number, { correctionBlocks = 0, of = plan } = {}) {
  const limit = { ...ledgerOf().limit, correctionBlocks }
  const whole = learnedPlan(of, { ...ledgerOf(), limit }, { nowMs: NOW_MS })
  const part = (live: boolean) => planOfPart(of, whole, { liveShare, live }).limits
  return { batch: part(false), live: part(true) }
}

describe('what is known about an engine', () => {
  it('is what its own figures say while nothing was learned', () => {
    expect(learnedPlan(plan, ledgerOf(), { nowMs: NOW_MS })).toEqual(plan)
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
  const live = chainOf('live/0', [legOf({ frames: 500 })], { live: true })
  const batch = chainOf('batch/0', [legOf({ frames: 900 })])

  it('are nobody else’s, as far as no live session holds them', () => {
    const { batch, live } = parts(0.2)
    expect(batch.kvBlocks).toBe(240)
    expect(live.kvBlocks).toBe(60)
    // Of what is short recordings bear all that they can.
    expect(parts(0.2, { correctionBlocks: 40 }).batch.kvBlocks).toBe(200)
    expect(parts(0.2, { correctionBlocks: 40 }).live.kvBlocks).toBe(60)
  })

  it('are never fewer than none', () => {
    const short = parts(0.2, { correctionBlocks: 270 })
    expect([short.batch.kvBlocks, short.live.kvBlocks]).toEqual([0, 30])
    const gone = parts(0.2, { correctionBlocks: 400 })
    expect([gone.batch.kvBlocks, gone.live.kvBlocks]).toEqual([0, 0])
  })

  it('are there for a live session', () => {
    expect(parts(0).live).toEqual(plan.limits)
    expect(parts(0).batch).toEqual(plan.limits)
  })

  it('come with lanes, sessions and time of a step, and leave recordings one of each', () => {
    const limits = { lanes: 20, sessions: 16, stepMs: 50 }
    const found = parts(0.2, { of: planOf({ limits }) })
    // Both sessions of a change-over are counted for each live lane.
    expect(found.live).toMatchObject({ lanes: 2, sessions: 4, stepMs: 10 })
    expect(found.batch).toMatchObject({ lanes: 16, sessions: 12, stepMs: 40 })
    const one = parts(0.9, { of: planOf({ limits: { lanes: 1, sessions: 2 } }) })
    expect([one.batch.lanes, one.live.lanes]).toEqual([1, 0])
    expect([one.batch.sessions, one.live.sessions]).toEqual([1, 1])
    const roomy = parts(0.2, { of: planOf({ limits: { lanes: 20, kvBlocks: 3_000 } }) })
    expect([roomy.batch.lanes, roomy.live.lanes]).toEqual([16, 4])
    const endless = parts(0.5, { of: planOf({ limits: { lanes: Number.POSITIVE_INFINITY } }) })
    expect(endless.batch.lanes).toBe(Number.POSITIVE_INFINITY)
  })

  it('carry every live lane at its peak at one moment, with legs as long as that allows', () => {
    const whole = planOf({ limits: { kvBlocks: 1_000, lanes: Number.POSITIVE_INFINITY } })
    const { limits, ceilingFrames } = planOfPart(whole, whole, { liveShare: 0.3, live: true })
    const peak = (frames: number) => changeOverPeak(whole, { frames, pace: 1 }).blocks
    expect(limits.lanes).toBeGreaterThan(1)
    expect(limits.lanes * peak(ceilingFrames)).toBeLessThanOrEqual(300)
    expect(limits.lanes * peak(ceilingFrames + 50)).toBeGreaterThan(300)
    expect(ceilingFrames).toBeGreaterThanOrEqual(1.5 * whole.floorFrames)
  })

  it('are counted by the chains of their own part', () => {
    const ledger = ledgerOf(batch, live)
    const ids = (liveShare: number, live: boolean) =>
      ledgerOfPart(ledger, { liveShare, live }).chains.map(({ id }) => id)
    expect(ids(0.2, false)).toEqual(['batch/0'])
    expect(ids(0.2, true)).toEqual(['live/0'])
    expect(ids(0, true)).toEqual(['batch/0', 'live/0'])
  })
})
