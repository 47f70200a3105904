import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type EnginePlan,
  frameMsOf,
  heldMs,
  type LaneLoad,
  laneLoadOf,
  legFramesFor,
  meanBlocks,
  meanStepMs,
  withMore,
} from '../../../../src/admission/load/engine-plan.js'
import { stepCostMs } from '../../../../src/model/step-model.js'
import { GRID_MS, heldAt, legOf, planOf, releasedMs, STEPS } from '../plans.js'

const withSteps = planOf({ stepModel: STEPS, limits: { stepMs: 50 } })
const paces = fc.constantFrom(0.5, 1, 2)

describe('a pace', () => {
  it('is the time between two frames; without one plans take real time', () => {
    expect([0, 0.5, 1, 2].map((pace) => frameMsOf(pace))).toEqual([80, 160, 80, 40])
  })

  it('says how long a leg is counted after its first frame', () => {
    expect(heldMs(withSteps, 250, 1)).toBe(20_000 + 1_360 + 1_000)
    expect(heldMs(withSteps, 250, 2)).toBe(10_000 + 2_360)
  })
})

describe('a step', () => {
  it('costs something for each session, and for each frame that it has heard', () => {
    expect(stepCostMs(STEPS, 0)).toBe(0.25)
    expect(stepCostMs(STEPS, 1_000)).toBe(0.25 + 1.5)
  })
})

describe('a lane of legs of one length, on average', () => {
  /** The mean over the time from one leg's first frame to the next one's, all moments summed. */
  function meanOf(plan: EnginePlan, frames: number, pace: number) {
    const leg = legOf({ frames })
    const sum = { blocks: 0, stepMs: 0 }
    for (let atMs = 0; atMs < releasedMs(plan, leg, pace); atMs += GRID_MS) {
      const held = heldAt(plan, leg, pace, atMs)
      sum.blocks += held.blocks * GRID_MS
      sum.stepMs += held.stepMs * GRID_MS
    }
    const legMs = frames * frameMsOf(pace)
    return { blocks: sum.blocks / legMs, stepMs: sum.stepMs / legMs }
  }

  it('holds what the moments of its legs add up to', () => {
    fc.assert(
      fc.property(fc.integer({ min: 50, max: 3_000 }), paces, (frames, pace) => {
        const mean = meanOf(withSteps, frames, pace)
        // The blocks of the tail are counted from the end of the last frame on.
        const tailBlocks = withSteps.curve.peakBlocks(frames) - withSteps.curve.blocksAfter(frames)
        const blocks = meanBlocks(withSteps, frames, pace)
        expect(blocks).toBeLessThanOrEqual(mean.blocks + 1e-9)
        expect(blocks).toBeGreaterThanOrEqual(mean.blocks - tailBlocks / frames - 1e-9)
        const stepMs = meanStepMs(withSteps, frames, pace)
        expect(Math.abs(stepMs - mean.stepMs)).toBeLessThan(STEPS.perFrameMs * Math.max(1, pace))
      }),
      { numRuns: 40 },
    )
  })

  it('adds nothing to steps that cost nothing', () => {
    expect(meanStepMs(planOf(), 500, 1)).toBe(0)
  })
})

describe('lanes that share an engine', () => {
  it('have a number, and a mean pace in which one without a pace counts as real time', () => {
    expect(laneLoadOf([])).toEqual({ lanes: 0, pace: 1 })
    expect(laneLoadOf([1, 2, 0, 4])).toEqual({ lanes: 4, pace: 2 })
    expect(withMore({ lanes: 4, pace: 2 }, 3)).toEqual({ lanes: 7, pace: 2 })
  })
})

describe('the legs with which a crowd fits', () => {
  const plans = fc
    .record({
      kvBlocks: fc.integer({ min: 20, max: 2_000 }),
      stepMs: fc.constantFrom(Number.POSITIVE_INFINITY, 5, 20, 50),
      sessions: fc.constantFrom(Number.POSITIVE_INFINITY, 1, 8, 64),
    })
    .map((limits) => planOf({ stepModel: STEPS, ceilingFrames: 1_200, limits }))
  const laneLoads = fc.record({ lanes: fc.integer({ min: 1, max: 80 }), pace: paces })
  const share = 0.975

  /** By sums and shares alone: blocks, steps, and sessions with their change-overs. */
  function fits(plan: EnginePlan, { lanes, pace }: LaneLoad, frames: number): boolean {
    const { kvBlocks, stepMs, sessions } = plan.limits
    const twice = (plan.openAheadMs + heldMs(plan, 0, pace)) / (frames * frameMsOf(pace))
    return (
      lanes * meanBlocks(plan, frames, pace) <= kvBlocks * share &&
      lanes * meanStepMs(plan, frames, pace) <= stepMs * share &&
      (lanes * (1 + twice) <= sessions || (sessions === 1 && lanes === 1))
    )
  }

  it('are the longest between floor and ceiling that do, by blocks, steps and sessions', () => {
    fc.assert(
      fc.property(plans, laneLoads, (plan, laneLoad) => {
        const found = legFramesFor(plan, laneLoad, share)
        let longest: number | null = null
        for (let frames = plan.floorFrames; frames <= plan.ceilingFrames; frames += 1) {
          if (fits(plan, laneLoad, frames)) longest = frames
        }
        expect(found).toBe(longest)
      }),
    )
  })

  it('are never longer for more lanes, or faster ones, or a smaller share', () => {
    fc.assert(
      fc.property(plans, laneLoads, laneLoads, (plan, one, two) => {
        const fewer = { lanes: Math.min(one.lanes, two.lanes), pace: Math.min(one.pace, two.pace) }
        const more = { lanes: Math.max(one.lanes, two.lanes), pace: Math.max(one.pace, two.pace) }
        const legFrames = (laneLoad: LaneLoad, part: number) =>
          legFramesFor(plan, laneLoad, part) ?? 0
        expect(legFrames(more, share)).toBeLessThanOrEqual(legFrames(fewer, share))
        expect(legFrames(one, 0.5)).toBeLessThanOrEqual(legFrames(one, share))
      }),
    )
  })

  it('are those of two hours where nothing is ever cut', () => {
    const ceilingFrames = Number.POSITIVE_INFINITY
    const plan = planOf({ ceilingFrames, limits: { kvBlocks: 1_000 } })
    expect(legFramesFor(plan, { lanes: 1, pace: 1 }, 1)).toBe(90_000)
    expect(legFramesFor(plan, { lanes: 20, pace: 1 }, 1)).toBeLessThan(10_000)
  })

  it('leave each lane of a full engine no second session: then none are short enough', () => {
    const plan = planOf({ limits: { sessions: 4 } })
    expect(legFramesFor(plan, { lanes: 4, pace: 1 }, 1)).toBeNull()
    expect(legFramesFor(plan, { lanes: 3, pace: 1 }, 1)).toBe(7_500)
    // One lane alone waits for its own session to end.
    expect(legFramesFor(planOf({ limits: { sessions: 1 } }), { lanes: 1, pace: 1 }, 1)).toBe(7_500)
    expect(legFramesFor(planOf({ limits: { sessions: 1 } }), { lanes: 2, pace: 1 }, 1)).toBeNull()
  })
})
