import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { learnedPlan } from '../../../../src/admission/ledger/engine-limits.js'
import { EMPTY_LEDGER, type Ledger } from '../../../../src/admission/ledger/ledger.js'
import { leasesOf, withChain } from '../../../../src/admission/ledger/ledger-changes.js'
import type { EnginePlan, Policy } from '../../../../src/admission/load/engine-plan.js'
import { leasesFit } from '../../../../src/admission/load/leases-fit.js'
import {
  type AdmissionContext,
  type CandidateLane,
  type Decision,
  decide,
  isParked,
} from '../../../../src/admission/pool/decide.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { randomCuts } from '../../../sim/recordings.js'
import { chainOf, heldAt, ledgerOf, legOf, pausesEvery, planOf, STEPS } from '../plans.js'

const NOW_MS = 1_000_000
const context: AdmissionContext = { nowMs: NOW_MS, worker: 'w', live: false, waitingLanes: 0 }

/** A lane of so many frames with a pause every 2 s. */
const laneOf = (frames: number, changes: Partial<CandidateLane> = {}): CandidateLane => ({
  ...{ chainId: 'job/0', pace: 1, fromFrame: 0, cuts: pausesEvery(25, frames) },
  ...changes,
})
const lanesOf = (count: number, frames: number, pace = 1) =>
  Array.from({ length: count }, (_, at) => laneOf(frames, { chainId: `job/${at}`, pace }))

/** As many lanes as there are, each in a leg that began so long ago. */
function carried(count: number, { agoMs = 5_000, frames = 1_000 } = {}): Ledger {
  const leg = legOf({ startMs: NOW_MS - agoMs, frames })
  const chains = Array.from({ length: count }, (_, at) => chainOf(`${at}/0`, [leg]))
  return ledgerOf(...chains)
}

const waiting = (decision: Decision) => (decision.kind === 'wait' ? decision.reason : decision)
const refused = (plan: EnginePlan, lanes: readonly CandidateLane[], ledger = EMPTY_LEDGER) => {
  const decision = decide(plan, ledger, lanes, context)
  return decision.kind === 'refuse' ? decision.sentence : decision
}

describe('a job that asks to be let in', () => {
  it('is, where there is room: its lanes stand in the ledger with a lease each', () => {
    const before = carried(2)
    const lanes = lanesOf(2, 3_000)
    const found = decide(planOf(), before, lanes, { ...context, worker: 'me', live: true })
    if (found.kind !== 'admit') throw new Error(found.kind)
    expect(found.ledger.chains.slice(0, 2)).toEqual(before.chains)
    expect(found.plans).toHaveLength(2)
    for (const [at, chain] of found.ledger.chains.slice(2).entries()) {
      const { legs, restFrames } = found.plans[at] as (typeof found.plans)[number]
      const identity = { id: `job/${at}`, worker: 'me', pace: 1, live: true, parkedSinceMs: null }
      expect(chain).toEqual({ ...identity, legs, restFrames })
      expect(legs[0]).toMatchObject({ index: 0, open: true, openMs: NOW_MS })
      // Its first frame is due a second later, when the session is open.
      expect(legs[0]?.startMs).toBe(NOW_MS + 1_000)
    }
    expect(before.chains).toHaveLength(2)
  })

  it('begins where it was left', () => {
    const found = decide(planOf(), EMPTY_LEDGER, [laneOf(3_000, { fromFrame: 1_000 })], context)
    if (found.kind !== 'admit') throw new Error(found.kind)
    expect(found.plans[0]?.segments[0]?.fromFrame).toBe(1_000)
    expect(found.plans[0]?.legs[0]?.frames).toBe(2_000)
  })

  it('never breaks the promise: the leases of all fit until they are released', () => {
    const jobs = fc.array(
      fc.record({ seed: fc.nat(), lanes: fc.integer({ min: 1, max: 3 }), pace: paces }),
      { minLength: 10, maxLength: 16 },
    )
    const policies = fc.constantFrom<Policy>('elastic', 'profile', 'reserve')
    let [admitted, waited] = [0, 0]
    fc.assert(
      fc.property(policies, jobs, (policy, wishes) => {
        const plan = planOf({ policy, ceilingFrames: 1_500, limits: { kvBlocks: 150 } })
        let ledger = EMPTY_LEDGER
        for (const [job, { seed, lanes, pace }] of wishes.entries()) {
          const cuts = randomCuts(seededRandom(seed), { durationS: 150, pauseEveryS: 5 })
          const asking = Array.from({ length: lanes }, (_, lane) =>
            laneOf(0, { chainId: `${job}/${lane}`, pace, cuts }),
          )
          const nowMs = NOW_MS + job * 300
          const found = decide(plan, ledger, asking, { ...context, nowMs })
          if (found.kind === 'admit') {
            admitted += 1
            ledger = found.ledger
            expect(leasesFit(plan, ledger, nowMs)).toBe(true)
          } else waited += 1
        }
        for (let atMs = NOW_MS; atMs < NOW_MS + 150_000; atMs += 500) {
          const held = leasesOf(ledger).map(
            ({ chain, leg }) => heldAt(plan, leg, chain.pace, atMs).blocks,
          )
          expect(held.reduce((sum, blocks) => sum + blocks, 0)).toBeLessThanOrEqual(150)
        }
      }),
      { numRuns: 30 },
    )
    expect(Math.min(admitted, waited)).toBeGreaterThan(20)
  })
})

const paces = fc.constantFrom(0, 1, 2)

describe('a job waits', () => {
  const reason = (plan: EnginePlan, ledger: Ledger, lanes = [laneOf(3_000)]) =>
    waiting(decide(plan, ledger, lanes, context))

  it('for lanes, all of its own at once', () => {
    const plan = planOf({ limits: { lanes: 4 } })
    expect(reason(plan, carried(3))).toMatchObject({ kind: 'admit' })
    expect(reason(plan, carried(4))).toBe('lanes')
    expect(reason(plan, carried(3), lanesOf(2, 3_000))).toBe('lanes')
  })

  it('for no lanes on an empty engine, however many it has', () => {
    const plan = planOf({ limits: { lanes: 1 } })
    expect(reason(plan, EMPTY_LEDGER, lanesOf(3, 3_000))).toMatchObject({ kind: 'admit' })
  })

  it('for those that have begun and wait for their next leg, unless nobody counts', () => {
    const parked = chainOf('p/0', [], { restFrames: 500, parkedSinceMs: NOW_MS - 1 })
    const ledger = withChain(carried(1), parked)
    expect(ledger.chains.map((chain) => isParked(chain))).toEqual([false, true])
    expect(reason(planOf(), ledger)).toBe('parked')
    expect(reason(planOf({ policy: 'reserve' }), ledger)).toBe('parked')
    expect(reason(planOf({ policy: 'fixed' }), ledger)).toMatchObject({ kind: 'admit' })
  })

  it('for blocks, where not even the shortest legs of all would fit', () => {
    const plan = planOf({ limits: { kvBlocks: 100 } })
    expect(reason(plan, carried(3))).toMatchObject({ kind: 'admit' })
    expect(reason(plan, carried(9))).toBe('kv')
    // Also where there would be room for a while.
    expect(reason(plan, carried(9, { frames: 80 }))).toBe('kv')
  })

  it('for blocks, while what is there now holds too many', () => {
    // Two old sessions to be released in 50 s, where three lanes would fit on average.
    const old = carried(2, { agoMs: 550_000, frames: 7_500 })
    const held = 2 * planOf().curve.peakBlocks(7_500)
    const plan = planOf({ limits: { kvBlocks: held + 5 } })
    expect(reason(plan, old)).toBe('kv')
    expect(reason(plan, old, [laneOf(3_000, { pace: 0 })])).toBe('kv')
    expect(reason(planOf({ ...plan, policy: 'profile' }), old)).toBe('kv')
    expect(reason(planOf({ ...plan, policy: 'reserve' }), old)).toBe('kv')
    expect(reason(planOf({ ...plan, policy: 'fixed' }), old)).toMatchObject({ kind: 'admit' })
  })

  it('for blocks, where leases would not fit long after all that is planned', () => {
    // Two that nobody can cut: they fit for the ten minutes that plans look ahead.
    const uncut = laneOf(0, { cuts: pausesEvery(12_000, 12_000) })
    const limits = { kvBlocks: 2 * planOf().curve.peakBlocks(12_000) - 4 }
    const plan = planOf({ ceilingFrames: 20_000, limits })
    expect(reason(plan, carried(1, { frames: 12_000 }), [uncut])).toBe('kv')
    expect(reason(plan, EMPTY_LEDGER, [uncut])).toMatchObject({ kind: 'admit' })
  })

  it('for the time of a step, where blocks would do', () => {
    const steps = (stepMs: number) =>
      planOf({ stepModel: STEPS, limits: { kvBlocks: 1e4, stepMs } })
    const short = carried(8, { frames: 250 })
    expect(reason(steps(10), short)).toMatchObject({ kind: 'admit' })
    expect(reason(steps(4), short)).toBe('step-time')
    // Without a limit of steps that binds, it is the blocks.
    const both = planOf({ stepModel: STEPS, limits: { kvBlocks: 100, stepMs: 1e3 } })
    expect(reason(both, carried(9))).toBe('kv')
  })

  it('until as many lanes will have ended as it has, as far as anybody knows', () => {
    const plan = planOf({ limits: { lanes: 3 } })
    const ends = [40_000, 20_000, 30_000]
    const chains = ends.map((ms, at) =>
      chainOf(`${at}/0`, [legOf({ startMs: NOW_MS, frames: ms / 160 })], {
        restFrames: ms / 160,
      }),
    )
    const earliest = (lanes: number) => {
      const found = decide(plan, ledgerOf(...chains), lanesOf(lanes, 3_000), context)
      return found.kind === 'wait' ? found.earliestMs : found
    }
    expect([1, 2, 3, 7].map((lanes) => earliest(lanes))).toEqual([
      ...[NOW_MS + 20_000, NOW_MS + 30_000, NOW_MS + 40_000, NOW_MS + 40_000],
    ])
  })
})

describe('a job is refused', () => {
  it('that needs more blocks at once than there are, with both figures', () => {
    const plan = planOf({ limits: { kvBlocks: 30 } })
    const needed = 2 * plan.curve.peakBlocks(250)
    expect(refused(plan, lanesOf(2, 9_000))).toBe(
      `it needs ${needed} KV blocks at once, and the engine gives out 30`,
    )
    // One that is shorter than the floor needs no more than all of it.
    expect(refused(plan, lanesOf(2, 50))).toMatchObject({ kind: 'admit' })
    expect(refused(plan, lanesOf(2, 9_000), carried(3))).toMatch(/gives out 30$/)
  })

  it('by what the engine has, not by what the law is short of for now', () => {
    const plan = planOf({ limits: { kvBlocks: 30 } })
    const short = { ...EMPTY_LEDGER, limit: { ...EMPTY_LEDGER.limit, correctionBlocks: 20 } }
    const learned = learnedPlan(plan, short, { nowMs: NOW_MS })
    expect(refused(learned, lanesOf(1, 9_000), short)).toMatchObject({ kind: 'wait', reason: 'kv' })
    expect(refused(learned, lanesOf(1, 50), short)).toMatchObject({ kind: 'admit' })
    expect(refused(learned, lanesOf(2, 9_000), short)).toMatch(/the engine gives out 30$/)
  })

  it('by the length of its legs where the policy does not cut them as it likes', () => {
    const plan = planOf({ policy: 'reserve', ceilingFrames: 2_000, limits: { kvBlocks: 25 } })
    const needed = plan.curve.peakBlocks(2_000)
    expect(refused(plan, [laneOf(9_000)])).toBe(
      `it needs ${needed} KV blocks at once, and the engine gives out 25`,
    )
    const rest = laneOf(9_000, { fromFrame: 8_500 })
    expect(refused(plan, [rest])).toMatchObject({ kind: 'admit' })
  })

  it('that needs more sessions at once than the engine runs', () => {
    const plan = planOf({ limits: { sessions: 2 } })
    expect(refused(plan, lanesOf(3, 9_000))).toBe(
      'it needs 3 sessions at once, and the engine runs 2',
    )
    expect(refused(plan, lanesOf(2, 200))).toMatchObject({ kind: 'admit' })
  })

  it('whose steps would take too long', () => {
    const plan = planOf({ stepModel: STEPS, limits: { stepMs: 1.2 } })
    // Each session of 250 frames takes 0.625 ms.
    expect(refused(plan, lanesOf(2, 9_000))).toBe(
      'its sessions would take 2 ms of a step, of 1.2 ms',
    )
    expect(refused(plan, lanesOf(1, 9_000))).toMatchObject({ kind: 'admit' })
    // At twice the speed it takes part in two of them.
    expect(refused(plan, lanesOf(1, 9_000, 2))).toMatch(/2 ms of a step/)
  })

  it('whose legs would not fit even on an empty engine, and not before that is certain', () => {
    const sentence = 'its legs would not fit even on an empty engine'
    const peak = planOf().curve.peakBlocks(7_500)
    const profile = planOf({ policy: 'profile', limits: { kvBlocks: peak + 2 } })
    // Two legs beside each other at a change-over are more than one at its peak.
    expect(refused(profile, [laneOf(9_000)])).toBe(sentence)
    expect(refused(profile, [laneOf(9_000)], carried(1))).toBe(sentence)
    const fitting = planOf({ policy: 'profile', limits: { kvBlocks: peak + 10 } })
    expect(refused(fitting, [laneOf(9_000)], carried(3, { frames: 7_500 }))).toMatchObject({
      kind: 'wait',
    })
    // Where cuts are chosen nobody says so before the engine is empty.
    const elastic = planOf({ limits: { kvBlocks: peak - 10 } })
    const uncut = laneOf(0, { cuts: pausesEvery(7_500, 7_500) })
    expect(refused(elastic, [uncut], carried(1))).toMatchObject({ kind: 'wait', reason: 'kv' })
    expect(refused(elastic, [uncut])).toBe(sentence)
    // As fast as the engine goes, two of the shortest legs are at their peaks at once.
    const tight = planOf({ limits: { kvBlocks: planOf().curve.peakBlocks(250) + 1 } })
    expect(refused(tight, [laneOf(9_000, { pace: 0 })])).toBe(sentence)
    expect(refused(tight, [laneOf(9_000)])).toMatchObject({ kind: 'admit' })
  })

  it('by nobody who counts nothing', () => {
    const fixed = planOf({ policy: 'fixed', limits: { kvBlocks: 1, sessions: 1 } })
    expect(refused(fixed, lanesOf(3, 9_000))).toMatchObject({ kind: 'admit' })
  })
})
