import { describe, expect, it } from 'vitest'
import { withoutChain } from '../../../../src/admission/ledger/ledger-changes.js'
import { chainPeak } from '../../../../src/admission/load/chain-peak.js'
import { meanBlocks, meanStepMs } from '../../../../src/admission/load/engine-plan.js'
import { leasesFit, staysWithin } from '../../../../src/admission/load/leases-fit.js'
import {
  addLease,
  type LoadScope,
  loadOf,
  restStartMs,
} from '../../../../src/admission/load/ledger-load.js'
import { LoadProfile } from '../../../../src/admission/load/load-profile.js'
import { chainOf, ledgerOf, legOf, planOf, STEPS } from '../plans.js'

const plan = planOf({ stepModel: STEPS, limits: { stepMs: 50 } })
const NOW_MS = 5_000
const scope: LoadScope = { nowMs: NOW_MS, horizonMs: 60_000, slotMs: 250 }

type AddedLeg = [leg: ReturnType<typeof legOf>, isOverdue?: boolean]

/** A load of these legs, added one by one. */
function loadOfLegs(...legs: readonly AddedLeg[]) {
  const profile = new LoadProfile(plan, { originMs: NOW_MS, horizonMs: 60_000, slotMs: 250 })
  for (const [leg, overdue = false] of legs) profile.addLeg(leg, 1, { overdue })
  return profile
}
const figures = ({ blocks, stepMs, sessions }: LoadProfile) => ({ blocks, stepMs, sessions })

const lease = legOf()
const planned = legOf({ index: 1, startMs: 21_000, open: false })
const other = legOf({ startMs: 4_000, frames: 500 })

describe('the load of a ledger', () => {
  it('is that of all its legs, leased and planned', () => {
    const ledger = ledgerOf(chainOf('a/0', [lease, planned]), chainOf('b/0', [other]))
    const all = loadOfLegs([lease], [planned], [other])
    expect(figures(loadOf(plan, ledger, scope))).toEqual(figures(all))
  })

  it('leaves one chain out, or all that is only planned', () => {
    const ledger = ledgerOf(chainOf('a/0', [lease, planned]), chainOf('b/0', [other]))
    const without = loadOf(plan, withoutChain(ledger, 'a/0'), scope)
    expect(figures(without)).toEqual(figures(loadOfLegs([other])))
    const leases = loadOf(plan, ledger, { ...scope, openOnly: true })
    expect(figures(leases)).toEqual(figures(loadOfLegs([lease], [other])))
  })

  it('counts who is late where he is, and who is overdue to the end', () => {
    const late = legOf({ behindMs: 2_000 })
    const found = loadOf(plan, ledgerOf(chainOf('a/0', [late])), scope)
    expect(figures(found)).toEqual(figures(loadOfLegs([{ ...lease, startMs: 3_000 }])))
    const over = legOf({ startMs: -60_000 })
    const overdue = loadOf(plan, ledgerOf(chainOf('a/0', [over])), scope)
    expect(figures(overdue)).toEqual(figures(loadOfLegs([over, true])))
    expect(overdue.blocks[239]).toBe(plan.curve.peakBlocks(250))
  })

  it('counts a planned leg that should have been opened as opened now', () => {
    const missed = legOf({ startMs: 3_000, open: false })
    const found = loadOf(plan, ledgerOf(chainOf('a/0', [missed])), scope)
    const opened = legOf({ openMs: 5_000, startMs: 6_000 })
    expect(figures(found)).toEqual(figures(loadOfLegs([opened])))
  })

  it('counts what is not planned yet on average, with no more than its own frames a leg', () => {
    const ended = legOf({ frames: 300 })
    const chain = chainOf('a/0', [ended], { restFrames: 400, pace: 2 })
    const rest = (restLegFrames: number) => {
      const all = loadOf(plan, ledgerOf(chain), { ...scope, restLegFrames })
      const legs = loadOf(plan, ledgerOf({ ...chain, restFrames: 0 }), { ...scope, restLegFrames })
      const differences = (one: Float64Array, two: Float64Array) =>
        [...one.slice(0, 240)].map((value, slot) => value - (two[slot] as number))
      expect(all.sessions).toEqual(legs.sessions)
      return {
        blocks: differences(all.blocks, legs.blocks),
        stepMs: differences(all.stepMs, legs.stepMs),
      }
    }
    // From the leg's last frame at 13 s for 16 s of replay: cells 32 to 95.
    const expected = (value: number) =>
      Array.from({ length: 240 }, (_, slot) => (slot >= 32 && slot < 96 ? value : 0))
    const near = (found: number[], value: number) =>
      expected(value).forEach((each, slot) => {
        expect(found[slot]).toBeCloseTo(each, 9)
      })
    near(rest(250).blocks, meanBlocks(plan, 250, 2))
    near(rest(250).stepMs, meanStepMs(plan, 250, 2))
    near(rest(7_000).blocks, meanBlocks(plan, 400, 2))
  })

  it('by the policy reserve is the most that each chain ever holds, to its end', () => {
    const reserve = { ...plan, policy: 'reserve' as const }
    const chain = chainOf('a/0', [lease, planned], { restFrames: 125 })
    const found = loadOf(reserve, ledgerOf(chain), { ...scope, horizonMs: 120_000 })
    const peak = chainPeak(reserve, chain, NOW_MS)
    // Its audio ends at 21 + 20 + 10 s; tail and grace are 2.36 s.
    const slots = Math.ceil((51_000 + 2_360 - NOW_MS) / 250)
    expect([...found.blocks.slice(0, slots)]).toEqual(Array(slots).fill(peak.blocks))
    expect([...found.sessions.slice(0, slots)]).toEqual(Array(slots).fill(peak.sessions))
    expect(found.blocks[slots]).toBe(0)
    expect(peak.blocks).toBeGreaterThan(0)
  })

  it('by the policy reserve has no end while a lease is overdue', () => {
    const reserve = { ...plan, policy: 'reserve' as const }
    const over = chainOf('a/0', [legOf({ startMs: -60_000 })])
    const found = loadOf(reserve, ledgerOf(over), scope)
    expect(found.blocks[239]).toBe(plan.curve.peakBlocks(250))
  })

  it('by the policy reserve is held by those alone that hold a session', () => {
    const reserve = { ...plan, policy: 'reserve' as const }
    const waiting = chainOf('a/0', [planned], { parkedSinceMs: 0 })
    const leases = { ...scope, openOnly: true }
    expect(Math.max(...loadOf(reserve, ledgerOf(waiting), leases).blocks)).toBe(0)
    expect(Math.max(...loadOf(reserve, ledgerOf(waiting), scope).blocks)).toBeGreaterThan(0)
    const carried = chainOf('a/0', [lease])
    expect(Math.max(...loadOf(reserve, ledgerOf(carried), leases).blocks)).toBeGreaterThan(0)
  })
})

describe('the audio that no leg is planned for', () => {
  it('begins when the last leg has been sent, and now at the earliest', () => {
    expect(restStartMs(chainOf('a/0', []), NOW_MS)).toBe(NOW_MS)
    expect(restStartMs(chainOf('a/0', [lease, planned]), NOW_MS)).toBe(41_000)
    expect(restStartMs(chainOf('a/0', [lease], { pace: 2 }), NOW_MS)).toBe(11_000)
    expect(restStartMs(chainOf('a/0', [legOf({ behindMs: 700 })]), NOW_MS)).toBe(21_700)
    expect(restStartMs(chainOf('a/0', [lease]), 90_000)).toBe(90_000)
  })
})

describe('a lease beside a ledger', () => {
  it('counts as one of the ledger does', () => {
    const profile = loadOfLegs()
    addLease(plan, profile, { leg: legOf({ stoppedFrame: 20 }), pace: 1 }, NOW_MS)
    const stopped = ledgerOf(chainOf('a/0', [legOf({ stoppedFrame: 20 })]))
    expect(figures(profile)).toEqual(figures(loadOf(plan, stopped, scope)))
    // Frame 20 was due at 2.6 s.
    expect(figures(profile)).toEqual(figures(loadOfLegs([{ ...lease, startMs: 3_400 }])))
  })
})

describe('what is held', () => {
  const peak = plan.curve.peakBlocks(250)
  const both = ledgerOf(chainOf('a/0', [lease]), chainOf('b/0', [legOf({ startMs: 9_000 })]))
  const fitsWith = (limits: Parameters<typeof planOf>[0], ledger = both) =>
    leasesFit(planOf(limits), ledger, NOW_MS)

  it('fits up to the last block, at every moment until it is released', () => {
    // At its end the one has all of its blocks, and the other has sent 149 of its frames.
    const needed = peak + plan.curve.blocksAfter(Math.ceil((23_360 - 9_000) / 80) + 2)
    expect(fitsWith({ limits: { kvBlocks: needed } })).toBe(true)
    expect(fitsWith({ limits: { kvBlocks: needed - 1 } })).toBe(false)
  })

  it('does not fit when it needs more sessions than there are', () => {
    expect(fitsWith({ limits: { sessions: 2 } })).toBe(true)
    expect(fitsWith({ limits: { sessions: 1 } })).toBe(false)
  })

  it('does not fit when steps would take too long, where they cost something', () => {
    const stepMs = 2 * (0.25 + 0.0015 * 250)
    expect(fitsWith({ stepModel: STEPS, limits: { stepMs } })).toBe(true)
    expect(fitsWith({ stepModel: STEPS, limits: { stepMs: stepMs / 2 } })).toBe(false)
    expect(fitsWith({ limits: { stepMs: stepMs / 2 } })).toBe(true)
  })

  it('says nothing of what is only planned', () => {
    const planning = ledgerOf(chainOf('a/0', [lease, { ...planned, startMs: 9_000 }]))
    expect(fitsWith({ limits: { kvBlocks: peak } }, planning)).toBe(true)
  })

  it('counts an overdue lease beside those that come to their ends later', () => {
    const over = chainOf('z/0', [legOf({ startMs: -60_000 })])
    const ledger = ledgerOf(over, chainOf('a/0', [lease]))
    expect(fitsWith({ limits: { kvBlocks: 2 * peak } }, ledger)).toBe(true)
    expect(fitsWith({ limits: { kvBlocks: 2 * peak - 1 } }, ledger)).toBe(false)
  })

  it('is looked at however long its legs are', () => {
    const long = legOf({ frames: 50_000 })
    const young = legOf({ startMs: 4_000_000, openMs: 3_999_000, frames: 400 })
    const ledger = ledgerOf(chainOf('a/0', [long]), chainOf('b/0', [young]))
    const needed = plan.curve.peakBlocks(50_000) + plan.curve.blocksAfter(60)
    expect(fitsWith({ limits: { kvBlocks: needed } }, ledger)).toBe(true)
    expect(fitsWith({ limits: { kvBlocks: plan.curve.peakBlocks(50_000) } }, ledger)).toBe(false)
  })

  it('always fits by the policy fixed, which counts nothing', () => {
    expect(fitsWith({ policy: 'fixed', limits: { kvBlocks: 1 } })).toBe(true)
  })
})

describe('a load', () => {
  it('stays within what the engine has when no cell goes beyond it, the first and last too', () => {
    const limits = { kvBlocks: 10, sessions: 100, stepMs: 50 }
    const grid = { originMs: 0, horizonMs: 1_000, slotMs: 250 }
    const stays = (blocks: number, slot: number) => {
      const profile = new LoadProfile(plan, grid)
      const range = { fromMs: slot * 250, toMs: slot * 250 + 1 }
      profile.addLevel({ blocks, stepMs: 0, sessions: 0 }, range)
      return staysWithin(planOf({ limits }), profile)
    }
    expect([0, 3].map((slot) => stays(10, slot))).toEqual([true, true])
    expect([0, 3].map((slot) => stays(10.1, slot))).toEqual([false, false])
  })
})
