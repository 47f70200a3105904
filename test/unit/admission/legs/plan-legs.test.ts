import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_LEDGER, type Ledger } from '../../../../src/admission/ledger/ledger.js'
import type { CutOption } from '../../../../src/admission/legs/cut-option.js'
import {
  type LaneRequest,
  type LegPlan,
  planLegs,
} from '../../../../src/admission/legs/plan-legs.js'
import type { EnginePlan, Policy } from '../../../../src/admission/load/engine-plan.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { LegCurve } from '../../../../src/model/leg-curve.js'
import { framesOf, randomCuts } from '../../../sim/recordings.js'
import { chainOf, heldAt, ledgerOf, legOf, MODEL, pausesEvery, planOf } from '../plans.js'

const NOW_MS = 100_000
const first = { openMs: NOW_MS, startMs: NOW_MS + 1_000, fromFrame: 0 }
const HOUR = pausesEvery(25, 45_000)

function requestOf(cuts: readonly CutOption[], changes: Partial<LaneRequest> = {}): LaneRequest {
  const rest = { earliestEndFrame: 0, firstIndex: 0, running: null, held: [] }
  return { chainId: 'a/0', pace: 1, first, cuts, ...rest, ...changes }
}

const plannedBy = (
  plan: EnginePlan,
  request: LaneRequest,
  { ledger = EMPTY_LEDGER as Ledger, waitingLanes = 0 } = {},
) => planLegs(plan, ledger, request, { nowMs: NOW_MS, waitingLanes })

const frames = ({ legs }: LegPlan) => legs.map((leg) => leg.frames)

/** Chains of one long leg each, as many as there are. */
function crowdOf(count: number, pace = 1): Ledger {
  const leg = legOf({ openMs: 0, startMs: 1_000, frames: 7_500 })
  return ledgerOf(...Array.from({ length: count }, (_, at) => chainOf(`${at}/1`, [leg], { pace })))
}

describe('the next legs of a lane', () => {
  const policies = fc.constantFrom<Policy>('elastic', 'profile', 'reserve', 'fixed')
  const shapes = fc.record({
    seed: fc.nat(),
    durationS: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 6_000 })),
    pauseEveryS: fc.constantFrom(5, 20),
    skipShare: fc.constantFrom(0, 0.03, 0.15),
  })

  it('and what is left after them are all of its audio, whatever the policy and pace', () => {
    fc.assert(
      fc.property(policies, shapes, fc.constantFrom(0, 1, 2), (policy, shape, pace) => {
        const cuts = randomCuts(seededRandom(shape.seed), shape)
        const found = plannedBy(planOf({ policy, ceilingFrames: 1_500 }), requestOf(cuts, { pace }))
        const last = found.segments.at(-1)?.endFrame ?? 0
        const all = framesOf(cuts.filter(({ endFrame }) => endFrame <= last))
        const isSkipped = cuts.some(({ kind, endFrame }) => kind === 'skip' && endFrame === last)
        const cut = cuts.find(({ endFrame }) => endFrame === last)
        const silence = isSkipped ? (cut?.nextFrame ?? 0) - last : 0
        // Overlapping legs have frames twice.
        const twice = found.segments.slice(1).reduce((sum, { fromFrame }, at) => {
          return sum + Math.max(0, (found.segments[at]?.endFrame ?? 0) - fromFrame)
        }, 0)
        const sum = frames(found).reduce((total, each) => total + each, 0)
        expect(sum - twice).toBe(all + silence)
        expect(sum - twice + found.restFrames).toBe(framesOf(cuts))
      }),
    )
  })

  it('are a lease and reservations, in order and in whole milliseconds', () => {
    const request = requestOf(HOUR, { pace: 1.5, firstIndex: 4 })
    const { legs, segments } = plannedBy(planOf({ ceilingFrames: 1_000 }), request)
    expect(legs.length).toBeGreaterThan(3)
    expect(legs.map(({ open }) => open)).toEqual([true, ...legs.slice(1).map(() => false)])
    expect(legs.map(({ index }) => index)).toEqual(legs.map((_, at) => 4 + at))
    for (const [at, { openMs, startMs, behindMs, stoppedFrame, ...leg }] of legs.entries()) {
      expect([openMs % 1, startMs % 1, behindMs, stoppedFrame]).toEqual([0, 0, 0, null])
      const { fromFrame, endFrame, startMs: dueMs } = segments[at] as (typeof segments)[number]
      expect(Math.abs(startMs - dueMs)).toBeLessThanOrEqual(0.5)
      expect(leg.frames).toBe(endFrame - fromFrame)
    }
  })

  it('keep of the leg that runs all but its end', () => {
    const running = legOf({
      index: 7,
      openMs: 60_000,
      startMs: 61_000,
      frames: 9_999,
      behindMs: 40,
    })
    const now = { openMs: 60_000, startMs: 61_040, fromFrame: 500 }
    const request = requestOf(HOUR, { first: now, earliestEndFrame: 1_200, firstIndex: 7, running })
    const found = plannedBy(planOf(), request, { waitingLanes: 60 })
    expect(found.legs[0]).toEqual({ ...running, frames: found.legs[0]?.frames })
    expect(found.segments[0]?.endFrame).toBeGreaterThanOrEqual(1_200)
    expect(found.legs[1]).toMatchObject({ index: 8, open: false })
  })
})

describe('by the policy elastic, the legs', () => {
  it('are as long as a recording is below the ceiling while the engine is empty', () => {
    const found = plannedBy(planOf(), requestOf(pausesEvery(25, 7_400)))
    expect([frames(found), found.fits]).toEqual([[7_400], true])
    expect(frames(plannedBy(planOf(), requestOf(pausesEvery(25, 7_600)))).length).toBe(2)
  })

  it('are shorter the more lanes there are, those that wait included', () => {
    const plan = planOf({ limits: { kvBlocks: 288 } })
    const longest = (waitingLanes: number) =>
      Math.max(...frames(plannedBy(plan, requestOf(HOUR), { waitingLanes })))
    const lengths = [8, 12, 14, 16].map((lanes) => longest(lanes))
    expect(lengths).toEqual([...lengths].sort((one, other) => other - one))
    expect(new Set(lengths).size).toBe(lengths.length)
    // Whoever is there already counts as who waits does.
    const ledger = crowdOf(10)
    const beside = plannedBy(plan, requestOf(HOUR), { ledger, waitingLanes: 6 })
    expect(beside.legs[0]?.frames).toBeLessThan(2_500)
  })

  it('never ask with one of them for more than others leave, where they fit', () => {
    const plan = planOf({ limits: { kvBlocks: 288 } })
    const others = fc.array(
      fc.record({ agoMs: fc.integer({ min: 0, max: 90_000 }), more: fc.integer({ max: 3_000 }) }),
      { minLength: 3, maxLength: 11 },
    )
    let fitting = 0
    fc.assert(
      fc.property(fc.nat(), others, (seed, beside) => {
        const legs = beside.map(({ agoMs, more }) => {
          const startMs = NOW_MS - agoMs
          return legOf({ startMs, frames: Math.ceil(agoMs / 80) + Math.abs(more) + 1 })
        })
        const ledger = ledgerOf(...legs.map((leg, at) => chainOf(`${at}/1`, [leg])))
        const cuts = randomCuts(seededRandom(seed), { durationS: 200, pauseEveryS: 4 })
        const found = plannedBy(plan, requestOf(cuts), { ledger })
        if (!found.fits) return
        fitting += 1
        for (const own of found.legs) {
          for (let atMs = NOW_MS; atMs < NOW_MS + 250_000; atMs += 1_000) {
            const { blocks } = heldAt(plan, own, 1, atMs)
            if (blocks === 0) continue
            const sum = legs.reduce((all, leg) => all + heldAt(plan, leg, 1, atMs).blocks, blocks)
            expect(sum).toBeLessThanOrEqual(288)
          }
        }
      }),
      { numRuns: 50 },
    )
    expect(fitting).toBeGreaterThan(10)
  })

  it('do not count the lane’s own chain, and count its older leases', () => {
    const plan = planOf({ limits: { kvBlocks: planOf().curve.peakBlocks(400) } })
    const stale = legOf({ index: 0, startMs: NOW_MS - 80_000, frames: 1_100 })
    const own = ledgerOf(chainOf('a/0', [stale, legOf({ index: 1, frames: 7_500 })]))
    const short = requestOf(pausesEvery(25, 400))
    expect(plannedBy(plan, short, { ledger: own })).toMatchObject({ fits: true, restFrames: 0 })
    const full = planOf({ limits: { kvBlocks: plan.curve.peakBlocks(1_100) + 3 } })
    expect(plannedBy(full, short).fits).toBe(true)
    expect(plannedBy(full, { ...short, held: [stale] }).fits).toBe(false)
  })

  it.each([
    // Legs of minutes: ten minutes ahead. Legs of 20 s: two minutes ahead.
    [12, 600_000],
    [40, 120_000],
  ])('beside %s others are published for %s ms, and the rest is counted', (waitingLanes, forMs) => {
    const plan = planOf({ limits: { kvBlocks: 288 } })
    const { legs, restFrames } = plannedBy(plan, requestOf(pausesEvery(25, 100_000)), {
      waitingLanes,
    })
    for (const { startMs } of legs) expect(startMs).toBeLessThan(NOW_MS + forMs)
    const last = legs.at(-1)
    expect((last?.startMs ?? 0) + (last?.frames ?? 0) * 80).toBeGreaterThanOrEqual(NOW_MS + forMs)
    expect(legs.reduce((sum, leg) => sum + leg.frames, restFrames)).toBe(100_000)
  })

  it('leave room for those who wait once the lane has begun', () => {
    const plan = planOf({ limits: { kvBlocks: 288 } })
    const running = legOf({ openMs: NOW_MS, startMs: NOW_MS + 1_000, frames: 250 })
    const laneLoad = { ledger: crowdOf(8), waitingLanes: 6 }
    const begun = plannedBy(plan, requestOf(HOUR, { running }), laneLoad)
    // Who is only about to begin would not push aside those who wait as it does.
    const beginning = plannedBy(plan, requestOf(HOUR), laneLoad)
    expect(begun.legs[0]?.frames).toBeLessThan(beginning.legs[0]?.frames ?? 0)
  })

  it('are cut in a pause where a quiet point is as near', () => {
    const quiet: CutOption[] = pausesEvery(197, 45_000)
      .flatMap((cut): CutOption[] => [
        { endFrame: cut.endFrame - 2, nextFrame: cut.endFrame - 12, kind: 'quiet' },
        cut,
        { endFrame: cut.endFrame + 2, nextFrame: cut.endFrame - 8, kind: 'quiet' },
      ])
      .slice(0, -1)
    const { segments } = plannedBy(planOf(), requestOf(quiet), { waitingLanes: 16 })
    expect(segments.length).toBeGreaterThan(1)
    expect(segments.map(({ cut }) => cut)).toEqual(segments.map(() => 'pause'))
  })
})

describe('without a pace, the legs', () => {
  const request = requestOf(HOUR.slice(0, 400).concat(pausesEvery(25, 10_025).slice(-1)), {
    pace: 0,
  })
  const plan = planOf({ limits: { kvBlocks: 100 } })

  it('are equal, and halved until two of them fit beside each other', () => {
    const alone = plannedBy(planOf({ limits: { kvBlocks: 288 } }), request)
    expect(frames(alone)[0]).toBe(7_500)
    const tight = plannedBy(plan, request)
    expect(tight.fits).toBe(true)
    expect(frames(tight)[0]).toBe(3_750)
    expect(2 * plan.curve.peakBlocks(frames(tight)[0] as number)).toBeLessThanOrEqual(100)
  })

  it('are as short as the floor, and do not fit, where nothing else is possible', () => {
    const none = planOf({ limits: { kvBlocks: plan.curve.peakBlocks(250) } })
    const found = plannedBy(none, request)
    expect(found.fits).toBe(false)
    expect(new Set(frames(found).slice(0, -1))).toEqual(new Set([250]))
  })
})

describe.each<Policy>(['profile', 'reserve', 'fixed'])('by the policy %s, the legs', (policy) => {
  const plan = planOf({ policy, ceilingFrames: 1_000 })

  it('are as long as the ceiling allows, and known to the end', () => {
    const found = plannedBy(plan, requestOf(pausesEvery(30, 4_000)))
    expect(frames(found)).toEqual([990, 990, 990, 990, 40])
    expect(found).toMatchObject({ fits: true, restFrames: 0 })
    expect(found.segments.at(-1)?.cut).toBe('end')
  })

  it('end in the last pause before the ceiling, or the last quiet point, or where they must', () => {
    const cut = (endFrame: number, kind: CutOption['kind'], nextFrame = endFrame) => {
      return { endFrame, nextFrame, kind }
    }
    const found = plannedBy(
      plan,
      requestOf([
        ...[cut(100, 'pause'), cut(400, 'pause'), cut(500, 'pause'), cut(900, 'quiet', 880)],
        ...[cut(1_200, 'quiet', 1_180), cut(1_300, 'quiet', 1_280), cut(2_900, 'pause')],
        ...[cut(3_000, 'skip', 3_500), cut(3_550, 'end')],
      ]),
    )
    const ends = found.segments.map(({ fromFrame, endFrame }) => [fromFrame, endFrame])
    // Of 1 280 on there is none before the ceiling: the first one after it.
    expect(ends).toEqual([
      ...[
        [0, 500],
        [500, 1_300],
        [1_280, 2_900],
        [2_900, 3_000],
      ],
      [3_500, 3_550],
    ])
    expect(found.segments.at(-1)?.startMs).toBe(first.startMs + (3_000 + 20) * 80 - 20 * 80)
  })

  it('of a leg that runs end behind what is sent', () => {
    const request = requestOf(pausesEvery(30, 4_000), { earliestEndFrame: 1_400 })
    expect(frames(plannedBy(plan, request))[0]).toBe(1_410)
    const over = requestOf(pausesEvery(30, 600), { earliestEndFrame: 1_400 })
    expect(frames(plannedBy(plan, over))).toEqual([600])
  })

  it('are one where nothing is ever cut', () => {
    const uncut = planOf({ policy, ceilingFrames: Number.POSITIVE_INFINITY })
    expect(frames(plannedBy(uncut, requestOf(HOUR)))).toEqual([45_000])
  })

  it('fit where the engine carries all of them to their ends, others included', () => {
    const peak = plan.curve.peakBlocks(500)
    const beside = ledgerOf(chainOf('b/0', [legOf({ startMs: NOW_MS, frames: 500 })]))
    const fits = (kvBlocks: number) => {
      const tight = planOf({ policy, ceilingFrames: 1_000, limits: { kvBlocks } })
      const request = requestOf(pausesEvery(50, 500))
      const held = [legOf({ startMs: NOW_MS, frames: 500 })]
      const found = plannedBy(tight, request, { ledger: beside }).fits
      // An older lease of its own counts as much.
      const again = { ...request, held, firstIndex: 1 }
      return [found, plannedBy(tight, again).fits]
    }
    expect(fits(2 * peak)).toEqual([true, true])
    // `fixed` counts nothing.
    const isFixed = policy === 'fixed'
    expect(fits(2 * peak - 1)).toEqual([isFixed, isFixed])
  })
})

describe('a lane under way on an engine that is hardly large enough', () => {
  // 33 blocks at 410 frames, 42 at 535, of 41: a leg of 410 doesn't fit beside the young one after
  // it, where both hear 2 s; the next cut is too far, and the one before it below the floor.
  const quiet = (endFrame: number): CutOption => {
    return { endFrame, nextFrame: endFrame - 24, kind: 'quiet' }
  }
  const pause = (endFrame: number): CutOption => ({ endFrame, nextFrame: endFrame, kind: 'pause' })
  const cuts = [
    ...[129, 148].map(pause),
    ...[285, 410, 535].map(quiet),
    ...[623, 738, 953, 1_010, 1_131, 1_223].map(pause),
    { endFrame: 1_300, nextFrame: 1_300, kind: 'end' } as const,
  ]
  const curve = new LegCurve({ ...MODEL, encoderWindowTokens: 750 })
  const narrow = (kvBlocks: number) => {
    return planOf({ curve, floorFrames: 382, tailMs: 1_803, limits: { kvBlocks } })
  }
  const underWay = requestOf(cuts, { firstIndex: 4 })

  it('takes one leg after the other where no two fit', () => {
    const found = plannedBy(narrow(41), underWay)
    expect({ fits: found.fits, frames: frames(found) }).toEqual({ fits: false, frames: [410] })
    expect(found.restFrames).toBe(890)
  })

  it('takes a shorter leg than the floor where nothing else fits', () => {
    expect(frames(plannedBy(narrow(30), underWay))).toEqual([285])
  })

  it('never takes one that ends where it has begun: at the cut that it comes from', () => {
    const first = { openMs: NOW_MS, startMs: NOW_MS + 1_000, fromFrame: 285 - 24 }
    // From there the next cut is at 149 frames, of 15 blocks; the 24 of the overlap need 5.
    expect(frames(plannedBy(narrow(15), requestOf(cuts, { firstIndex: 4, first })))).toEqual([149])
    const stuck = plannedBy(narrow(7), requestOf(cuts, { firstIndex: 4, first }))
    expect(frames(stuck)[0]).toBeGreaterThan(24)
  })

  it('keeps its plan where nothing fits at all', () => {
    expect(frames(plannedBy(narrow(5), underWay))[0]).toBeGreaterThanOrEqual(382)
  })

  it('but is not let in with any of it', () => {
    const found = plannedBy(narrow(41), requestOf(cuts))
    expect(found.fits).toBe(false)
    expect(frames(found)[0]).toBeGreaterThan(410)
  })
})
