import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CutOption } from '../../../../src/admission/legs/cut-option.js'
import {
  FILL_SHARE,
  type LaneTask,
  type LegPrice,
  legPrice,
  searchCuts,
} from '../../../../src/admission/legs/cut-search.js'
import type { PlannedSegment } from '../../../../src/admission/legs/planned-segment.js'
import {
  type EnginePlan,
  frameMsOf,
  legFramesFor,
  meanBlocks,
  RELEASE_GRACE_MS,
} from '../../../../src/admission/load/engine-plan.js'
import { LoadProfile } from '../../../../src/admission/load/load-profile.js'
import { SlotCosts } from '../../../../src/admission/load/slot-costs.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { randomCuts } from '../../../sim/recordings.js'
import { heldAt, legOf, pausesEvery, planOf } from '../plans.js'

const SLOT_MS = 500
const first = { openMs: 0, startMs: 1_000, fromFrame: 0 }
const coming = { blocks: 0, stepMs: 0 }
const plan = planOf({ limits: { kvBlocks: 120 }, ceilingFrames: 1_500 })
const price: LegPrice = { legFrames: 500, perLeg: 1e-6 }

const loadOver = (horizonMs: number) =>
  new LoadProfile(plan, { originMs: 0, horizonMs, slotMs: SLOT_MS })

function taskOf(cuts: readonly CutOption[], changes: Partial<LaneTask> = {}): LaneTask {
  const rest = { coming, firmUntilMs: Number.POSITIVE_INFINITY, earliestEndFrame: 0 }
  return { pace: 1, first, cuts, ...rest, ...changes }
}

const mustEnd = ({ kind }: CutOption) => kind === 'end' || kind === 'skip'

/** The cuts that a leg may end with that begins at a frame, by the rules and nothing else. */
function allowed(engine: EnginePlan, task: LaneTask, fromFrame: number): CutOption[] {
  const isFirst = fromFrame === task.first.fromFrame
  const ahead = task.cuts.filter(({ endFrame }) => endFrame > fromFrame)
  const last = ahead.findIndex(mustEnd)
  const reachable = last < 0 ? ahead : ahead.slice(0, last + 1)
  const open = reachable.filter((cut) => {
    const isSent = isFirst && cut.endFrame < task.earliestEndFrame
    return mustEnd(cut) || (!isSent && cut.endFrame - fromFrame >= engine.floorFrames)
  })
  const longest = Math.min(engine.ceilingFrames, Math.ceil(price.legFrames * 2.2))
  // Too long is allowed where there is nothing else.
  return open.filter((cut, at) => at === 0 || cut.endFrame - fromFrame <= longest)
}

/** The stretches follow one another in frames and in time, each cut where it may be. */
function expectLane(task: LaneTask, segments: readonly PlannedSegment[], horizonMs: number): void {
  const frameMs = frameMsOf(task.pace)
  let { fromFrame, startMs, openMs } = task.first
  for (const [at, segment] of segments.entries()) {
    expect(segment).toMatchObject({ fromFrame, openMs })
    expect(segment.startMs).toBeCloseTo(startMs, 6)
    const cut = allowed(plan, task, fromFrame).find((each) => each.endFrame === segment.endFrame)
    expect(cut?.kind).toBe(segment.cut)
    const { endFrame, nextFrame } = cut as CutOption
    // A silence that is skipped takes no time.
    startMs += ((segment.cut === 'skip' ? endFrame : nextFrame) - fromFrame) * frameMs
    openMs = segments[at + 1]?.openMs ?? 0
    if (at + 1 < segments.length) expect(openMs).toBeCloseTo(startMs - plan.openAheadMs, 6)
    fromFrame = nextFrame
  }
  const last = segments.at(-1) as PlannedSegment
  const endMs = last.startMs + (last.endFrame - last.fromFrame) * frameMs
  expect(last.cut === 'end' || endMs >= horizonMs - SLOT_MS).toBe(true)
}

const lanes = fc.record({
  seed: fc.nat(),
  pace: fc.constantFrom(0.5, 1, 2),
  earliestEndFrame: fc.constantFrom(0, 120, 600),
  skipShare: fc.constantFrom(0, 0.2),
  horizonMs: fc.constantFrom(40_000, 150_000, 900_000),
})

describe('the plan of a lane', () => {
  it('goes through all of its audio or beyond the horizon, each leg cut where it may be', () => {
    fc.assert(
      fc.property(lanes, ({ seed, pace, earliestEndFrame, skipShare, horizonMs }) => {
        const shape = { durationS: 300, pauseEveryS: 6, skipShare }
        const cuts = randomCuts(seededRandom(seed), shape)
        const task = taskOf(cuts, { pace, earliestEndFrame })
        const { segments, fits } = searchCuts(plan, loadOver(horizonMs), task, price)
        expectLane(task, segments, horizonMs)
        expect(fits).toBe(true)
      }),
    )
  })

  it('never goes beyond the engine’s blocks with one of its legs when it fits', () => {
    let [fitting, not] = [0, 0]
    const laneLoads = fc.array(
      fc.record({ atS: fc.integer({ min: -60, max: 120 }), s: fc.integer({ min: 5, max: 120 }) }),
      { minLength: 8, maxLength: 12 },
    )
    fc.assert(
      fc.property(fc.nat(), laneLoads, (seed, others) => {
        const legs = others.map(({ atS, s }) =>
          legOf({ openMs: atS * 1_000, startMs: atS * 1_000 + 1_000, frames: s * 12 }),
        )
        const load = loadOver(200_000)
        for (const leg of legs) load.addLeg(leg, 1, { overdue: false })
        const cuts = randomCuts(seededRandom(seed), { durationS: 120, pauseEveryS: 4 })
        const { segments, fits } = searchCuts(plan, load, taskOf(cuts), price)
        if (!fits) not += 1
        else fitting += 1
        for (const { openMs, startMs, fromFrame, endFrame } of fits ? segments : []) {
          const own = legOf({ openMs, startMs, frames: endFrame - fromFrame })
          for (let atMs = 0; atMs < 150_000; atMs += 400) {
            const { blocks } = heldAt(plan, own, 1, atMs)
            if (blocks === 0) continue
            const sum = legs.reduce((held, leg) => held + heldAt(plan, leg, 1, atMs).blocks, blocks)
            expect(sum).toBeLessThanOrEqual(120)
          }
        }
      }),
    )
    expect(Math.min(fitting, not)).toBeGreaterThan(3)
  })

  it('is the cheapest of all ways through its cuts', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 60, max: 110 }), (seed, busy) => {
        const random = seededRandom(seed)
        const load = loadOver(200_000)
        for (let at = 0; at < 24; at += 1) {
          const fromMs = random.uniform() * 150_000
          const level = { blocks: random.uniform() * busy * 0.5, stepMs: 0, sessions: 0 }
          const forMs = at % 2 === 0 ? 1_000 : 20_000
          load.addLevel(level, { fromMs, toMs: fromMs + forMs })
        }
        const cuts = randomCuts(random, { durationS: 130, pauseEveryS: 14, skipShare: 0.1 })
        const task = taskOf(cuts)
        const costOf = costOfLane(load, task)
        const costs = waysThrough(task).map((way) => costOf(way))
        const { segments } = searchCuts(plan, load, task, price)
        const chosen = costOf(segments.map(({ fromFrame, endFrame }) => ({ fromFrame, endFrame })))
        expect(costs.length).toBeGreaterThan(0)
        expect(chosen).toBeLessThanOrEqual(Math.min(...costs) * (1 + 1e-9))
      }),
    )
  })
})

type Leg = Pick<PlannedSegment, 'fromFrame' | 'endFrame'>

/** Every way through the cuts of a lane that the rules allow. */
function waysThrough(task: LaneTask, fromFrame = 0): Leg[][] {
  return allowed(plan, task, fromFrame).flatMap((cut) => {
    const leg = { fromFrame, endFrame: cut.endFrame }
    if (cut.kind === 'end') return [[leg]]
    return waysThrough(task, cut.nextFrame).map((rest) => [leg, ...rest])
  })
}

/** What a lane costs, leg by leg: opening, hearing, tail, and a price for the cut. */
function costOfLane(load: LoadProfile, { cuts }: LaneTask): (legs: readonly Leg[]) => number {
  const tailSlots = Math.ceil((plan.tailMs + RELEASE_GRACE_MS) / SLOT_MS) + 1
  const costs = new SlotCosts(plan, load, coming, { firmSlots: load.slots, tailSlots, pace: 1 })
  return (legs) => {
    let startMs = first.startMs
    let sum = 0
    for (const { fromFrame, endFrame } of legs) {
      const cut = cuts.find((each) => each.endFrame === endFrame) as CutOption
      const endMs = startMs + (endFrame - fromFrame) * 80
      const [open, start, end] = [startMs - plan.openAheadMs, startMs, endMs].map((atMs) =>
        load.slotAt(atMs),
      ) as [number, number, number]
      sum += costs.opening(open, start) + costs.sending(start, end, { startMs, frameMs: 80 })
      sum += costs.tail(end, endFrame - fromFrame) + price.perLeg * (cut.kind === 'quiet' ? 4 : 1)
      startMs += ((cut.kind === 'skip' ? endFrame : cut.nextFrame) - fromFrame) * 80
    }
    return sum
  }
}

describe('the legs of a lane', () => {
  it.each([40, 48, 55])('come out as long as lets %s lanes fill the engine', (there) => {
    const roomy = planOf({ limits: { kvBlocks: 1_000 } })
    const laneLoad = { lanes: there, pace: 1 }
    const legFrames = legFramesFor(roomy, laneLoad, FILL_SHARE) ?? 0
    const horizonMs = 5 * legFrames * 80
    const load = loadOver(horizonMs)
    const blocks = (there - 1) * meanBlocks(roomy, legFrames, 1)
    load.addLevel({ blocks, stepMs: 0, sessions: 0 }, { fromMs: 0, toMs: horizonMs })
    const task = taskOf(pausesEvery(10, legFrames * 10))
    const all = searchCuts(
      roomy,
      load,
      task,
      legPrice(roomy, legFrames, laneLoad, SLOT_MS),
    ).segments
    // The last one goes beyond the horizon.
    const frames = all.slice(0, -1).map(({ fromFrame, endFrame }) => endFrame - fromFrame)
    expect(frames.length).toBeGreaterThan(2)
    for (const each of frames) expect(Math.abs(each / legFrames - 1)).toBeLessThan(0.25)
    expect(Math.max(...frames) / Math.min(...frames)).toBeLessThan(1.15)
  })

  it('change over where the engine is not full', () => {
    const load = loadOver(200_000)
    const full = { fromMs: 35_000, toMs: 45_000 }
    load.addLevel({ blocks: 120 - 28, stepMs: 0, sessions: 0 }, full)
    const task = taskOf(pausesEvery(25, 1_000))
    const { segments, fits } = searchCuts(plan, load, task, price)
    expect(fits).toBe(true)
    const ends = segments.map((each) => each.startMs + (each.endFrame - each.fromFrame) * 80)
    const inside = ends.filter((endMs) => endMs + 2_360 > full.fromMs && endMs < full.toMs)
    expect(inside).toEqual([])
    expect(segments.length).toBeGreaterThan(1)
  })

  it('are cut in pauses rather than in speech', () => {
    const cuts = pausesEvery(50, 2_000).map((cut, at): CutOption => {
      return at % 4 === 0 || cut.kind === 'end' ? cut : { ...cut, kind: 'quiet' }
    })
    const dear = { ...price, perLeg: 0.01 }
    const { segments } = searchCuts(plan, loadOver(250_000), taskOf(cuts), dear)
    expect(segments.length).toBeGreaterThan(1)
    expect(segments.filter(({ cut }) => cut === 'quiet')).toEqual([])
  })

  it('may be as short as the floor', () => {
    const endsWith = (floorFrames: number) => {
      const kvBlocks = plan.curve.peakBlocks(250)
      const tight = planOf({ floorFrames, limits: { kvBlocks } })
      const { segments, fits } = searchCuts(
        tight,
        loadOver(90_000),
        taskOf(pausesEvery(250, 500)),
        price,
      )
      return { ends: segments.map(({ endFrame }) => endFrame), fits }
    }
    expect(endsWith(250)).toEqual({ ends: [250, 500], fits: true })
    expect(endsWith(251)).toEqual({ ends: [500], fits: false })
  })

  it('may all be too long where there is no cut', () => {
    const { segments } = searchCuts(
      plan,
      loadOver(500_000),
      taskOf(pausesEvery(2_000, 5_000)),
      price,
    )
    expect(segments.map(({ endFrame }) => endFrame)).toEqual([2_000, 4_000, 5_000])
  })

  it('fit only where loads that are firm leave room, and the rest forbids nothing', () => {
    const load = loadOver(100_000)
    const range = { fromMs: 20_000, toMs: 60_000 }
    load.addLevel({ blocks: 119, stepMs: 0, sessions: 0 }, range)
    const fits = (firmUntilMs: number) =>
      searchCuts(plan, load, taskOf(pausesEvery(25, 700), { firmUntilMs }), price).fits
    expect([fits(20_000), fits(21_000)]).toEqual([true, false])
  })

  it('do not fit where no session is free', () => {
    const few = planOf({ limits: { kvBlocks: 120, sessions: 1 } })
    const load = loadOver(100_000)
    load.addLevel({ blocks: 0, stepMs: 0, sessions: 1 }, { fromMs: 0, toMs: 50_000 })
    const task = taskOf(pausesEvery(25, 400))
    expect(searchCuts(few, load, task, price).fits).toBe(false)
  })

  it('of an engine that has nothing to give out are one leg, which does not fit', () => {
    const nothing = planOf({ limits: { kvBlocks: 0 } })
    const skip: CutOption = { endFrame: 300, nextFrame: 400, kind: 'skip' }
    const all = pausesEvery(100, 700).filter(({ endFrame }) => endFrame <= 200 || endFrame > 400)
    const whole = searchCuts(nothing, loadOver(90_000), taskOf(all), price)
    const cut = searchCuts(nothing, loadOver(90_000), taskOf([skip, ...all.slice(2)]), price)
    const reach = searchCuts(nothing, loadOver(90_000), taskOf(all.slice(0, 2)), price)
    const ends = [whole, cut, reach].map(({ segments }) => segments.map((each) => each.endFrame))
    expect(ends).toEqual([[700], [300], [200]])
    expect([whole, cut, reach].map(({ fits }) => fits)).toEqual([false, false, false])
  })
})

describe('the price of a leg', () => {
  it('is higher the longer legs are to be, and most where nothing is crowded', () => {
    const priceOf = (legFrames: number) =>
      legPrice(plan, legFrames, { lanes: 6, pace: 1 }, SLOT_MS).perLeg
    expect(priceOf(600)).toBeGreaterThan(priceOf(300))
    expect(priceOf(1_500)).toBeGreaterThan(8 * priceOf(1_499))
  })

  it('is nothing where nothing is short', () => {
    const free = planOf({ limits: { kvBlocks: Number.POSITIVE_INFINITY } })
    const laneLoad = { lanes: 6, pace: 1 }
    expect(legPrice(free, 500, laneLoad, SLOT_MS)).toEqual({ legFrames: 500, perLeg: 0 })
  })
})
