import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LoadProfile } from '../../../../src/admission/load/load-profile.js'
import { anyLeg, anyPace, GRID_MS, type Held, heldAt, legOf, planOf, STEPS } from '../plans.js'

const plan = planOf({ stepModel: STEPS, limits: { stepMs: 50 } })
const lanesOf = (pace: fc.Arbitrary<number>) =>
  fc.array(fc.record({ leg: anyLeg, pace }), { minLength: 1, maxLength: 4 })
/** Powers of 2, in which every moment of the grid is exact. */
const slotSizes = fc.constantFrom(128, 256, 1_024)
const HORIZON_MS = 40_960

type Lanes = readonly { leg: ReturnType<typeof legOf>; pace: number }[]

function profileOf(legs: Lanes, slotMs: number, horizonMs = HORIZON_MS): LoadProfile {
  const profile = new LoadProfile(plan, { originMs: 0, horizonMs, slotMs })
  for (const { leg, pace } of legs) profile.addLeg(leg, pace, { overdue: false })
  return profile
}

/** Moment by moment: of each leg the most in this cell, and all of them together. */
function summed(legs: Lanes, slot: number, slotMs: number): Held {
  const sum = { blocks: 0, stepMs: 0, sessions: 0 }
  for (const { leg, pace } of legs) {
    const most = { blocks: 0, stepMs: 0, sessions: 0 }
    for (let atMs = slot * slotMs; atMs < (slot + 1) * slotMs; atMs += GRID_MS) {
      const held = heldAt(plan, leg, pace, atMs)
      most.blocks = Math.max(most.blocks, held.blocks)
      most.stepMs = Math.max(most.stepMs, held.stepMs)
      most.sessions = Math.max(most.sessions, held.sessions)
    }
    sum.blocks += most.blocks
    sum.stepMs += most.stepMs
    sum.sessions += most.sessions
  }
  return sum
}

describe('the load of an engine', () => {
  it('counts each leg in every cell that it touches with the most that it holds there', () => {
    fc.assert(
      fc.property(lanesOf(anyPace), slotSizes, (legs, slotMs) => {
        const profile = profileOf(legs, slotMs)
        expect(profile.slots).toBe(HORIZON_MS / slotMs)
        for (let slot = 0; slot < profile.slots; slot += 1) {
          const { blocks, sessions } = summed(legs, slot, slotMs)
          const found = [slot, profile.blocks[slot], profile.sessions[slot]]
          expect(found).toEqual([slot, blocks, sessions])
        }
      }),
    )
  })

  it('counts steps never too small, and by the growth of two cells too large at most', () => {
    // A session without a pace grows at once, but takes part in steps as at real time.
    const paced = lanesOf(fc.constantFrom(0.5, 1, 2))
    fc.assert(
      fc.property(paced, slotSizes, (legs, slotMs) => {
        const profile = profileOf(legs, slotMs)
        for (let slot = 0; slot < profile.slots; slot += 1) {
          const { stepMs } = summed(legs, slot, slotMs)
          const growth = legs.map(({ pace }) => 2 * Math.max(1, pace) * pace * (slotMs / 80))
          const tooLarge = growth.reduce((sum, frames) => sum + frames * STEPS.perFrameMs, 0)
          const found = profile.stepMs[slot] as number
          const young = legs.filter(({ leg }) => isHeardFirst(leg.startMs, slot, slotMs))
          const early = young.length * 2 * (STEPS.perSessionMs + STEPS.perFrameMs)
          expect(found).toBeGreaterThanOrEqual(stepMs - 1e-9)
          expect(found).toBeLessThanOrEqual(stepMs + tooLarge + early + 1e-9)
        }
      }),
    )
  })

  it('counts a lease that should have ended at its peak for as long as it looks', () => {
    const leg = legOf({ startMs: -60_000 })
    const profile = new LoadProfile(plan, { originMs: 0, horizonMs: 10_000, slotMs: 250 })
    profile.addLeg(leg, 1, { overdue: true })
    const peak = plan.curve.peakBlocks(250)
    expect([...profile.blocks.slice(0, 40)]).toEqual(Array(40).fill(peak))
    expect([...profile.sessions.slice(0, 40)]).toEqual(Array(40).fill(1))
    expect(profile.stepMs[39]).toBeCloseTo(0.25 + 250 * 0.0015)
  })

  it('counts nothing of what has ended, or begins later than it looks', () => {
    const ended = { leg: legOf({ startMs: -60_000 }), pace: 1 }
    const later = { leg: legOf({ startMs: 60_000 }), pace: 1 }
    const profile = profileOf([ended, later], 256, 10_240)
    expect(Math.max(...profile.blocks, ...profile.sessions, ...profile.stepMs)).toBe(0)
  })

  it('without a model of steps says nothing of them', () => {
    const grid = { originMs: 0, horizonMs: 10_000, slotMs: 250 }
    const profile = new LoadProfile(planOf(), grid)
    profile.addLeg(legOf(), 1, { overdue: false })
    expect(Math.max(...profile.stepMs)).toBe(0)
    expect(Math.max(...profile.blocks)).toBeGreaterThan(0)
  })

  it('adds a level to every cell that it touches', () => {
    const profile = new LoadProfile(plan, { originMs: 1_000, horizonMs: 2_000, slotMs: 250 })
    const level = { blocks: 7, stepMs: 0.5, sessions: 2 }
    profile.addLevel(level, { fromMs: 1_300, toMs: 1_800 })
    profile.addLevel(level, { fromMs: 0, toMs: 900 })
    profile.addLevel(level, { fromMs: 2_600, toMs: Number.POSITIVE_INFINITY })
    expect([...profile.blocks.slice(0, 8)]).toEqual([0, 7, 7, 7, 0, 0, 7, 7])
    expect([...profile.stepMs.slice(0, 8)]).toEqual([0, 0.5, 0.5, 0.5, 0, 0, 0.5, 0.5])
    expect([...profile.sessions.slice(0, 8)]).toEqual([0, 2, 2, 2, 0, 0, 2, 2])
  })

  it('knows the cell of a moment, also of one that it does not look at', () => {
    const profile = new LoadProfile(plan, { originMs: 1_000, horizonMs: 900, slotMs: 250 })
    expect(profile.slots).toBe(4)
    const slots = [-5_000, 999, 1_000, 1_249, 1_250, 1_999, 2_000, 9_000]
    expect(slots.map((atMs) => profile.slotAt(atMs))).toEqual([0, 0, 0, 0, 1, 3, 4, 4])
  })

  it('is at least one cell', () => {
    expect(new LoadProfile(plan, { originMs: 0, horizonMs: 0, slotMs: 250 }).slots).toBe(1)
  })
})

/** Whether a leg is heard for the first time at the end of a cell: its steps count in all of it. */
function isHeardFirst(startMs: number, slot: number, slotMs: number): boolean {
  return startMs >= slot * slotMs && startMs <= (slot + 1) * slotMs
}
