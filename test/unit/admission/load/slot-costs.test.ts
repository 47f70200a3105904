import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EnginePlan } from '../../../../src/admission/load/engine-plan.js'
import { LoadProfile } from '../../../../src/admission/load/load-profile.js'
import { FORBIDDEN, SlotCosts, STEEPNESS } from '../../../../src/admission/load/slot-costs.js'
import { planOf, STEPS } from '../plans.js'

const SLOT_MS = 400
const CELLS = 30
const KV_BLOCKS = 100
const STEP_MS = 20
const SESSIONS = 6

const cheap = planOf({ limits: { kvBlocks: KV_BLOCKS, sessions: SESSIONS } })
const withSteps = planOf({
  stepModel: STEPS,
  limits: { kvBlocks: KV_BLOCKS, sessions: SESSIONS, stepMs: STEP_MS },
})

/** What others hold in one cell. */
interface Slot {
  blocks: number
  stepMs: number
  sessions: number
}

const quiet: Slot = { blocks: 40, stepMs: 8, sessions: 2 }
const slots = fc.array(
  fc.record({
    blocks: fc.integer({ min: 0, max: KV_BLOCKS }),
    stepMs: fc.double({ min: 0, max: STEP_MS, noNaN: true }),
    sessions: fc.integer({ min: 0, max: SESSIONS }),
  }),
  { minLength: CELLS, maxLength: CELLS },
)
const ranges = fc
  .tuple(fc.integer({ min: 0, max: CELLS - 1 }), fc.integer({ min: 0, max: CELLS - 1 }))
  .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
const frameTimes = fc.constantFrom(40, 80, 160)
/** Whether steps cost something. */
const anyPlan = fc.boolean()
const planWith = (hasSteps: boolean) => (hasSteps ? withSteps : cheap)

function loadOfSlots(plan: EnginePlan, held: readonly Slot[]): LoadProfile {
  const grid = { originMs: 0, horizonMs: CELLS * SLOT_MS, slotMs: SLOT_MS }
  const profile = new LoadProfile(plan, grid)
  held.forEach((level, slot) => {
    profile.addLevel(level, { fromMs: slot * SLOT_MS, toMs: (slot + 1) * SLOT_MS })
  })
  return profile
}

const NOBODY = { blocks: 0, stepMs: 0 }
function costsOf(
  plan: EnginePlan,
  held: readonly Slot[],
  { coming = NOBODY, firmSlots = CELLS, tailSlots = 4, pace = 1 } = {},
): SlotCosts {
  return new SlotCosts(plan, loadOfSlots(plan, held), coming, { firmSlots, tailSlots, pace })
}

/** What a leg costs in a cell: what the price of the cell rises by; and much for what is over. */
function costIn(plan: EnginePlan, slot: Slot, own: { blocks: number; frames: number | null }) {
  const priceAt = (blocks: number) => Math.exp(STEEPNESS * (blocks / KV_BLOCKS - 1))
  let cost = priceAt(slot.blocks + own.blocks) - priceAt(slot.blocks)
  const room = slot.sessions >= SESSIONS ? 0 : KV_BLOCKS - slot.blocks
  let isOver = own.blocks > room
  if (plan.stepModel && own.frames !== null) {
    const ownMs = STEPS.perSessionMs + STEPS.perFrameMs * own.frames
    cost += (Math.exp(STEEPNESS * (slot.stepMs / STEP_MS - 1)) * STEEPNESS * ownMs) / STEP_MS
    isOver ||= slot.stepMs + ownMs > STEP_MS
  }
  return { cost, isOver }
}

/** Frames that were sent of a leg by the end of each cell of a range. */
function sentBy(range: { from: number; to: number }, leg: { startMs: number; frameMs: number }) {
  return Array.from({ length: range.to - range.from }, (_, at) => {
    const endMs = (range.from + at + 1) * SLOT_MS
    return Math.floor((endMs - leg.startMs) / leg.frameMs) + 1
  })
}

/** The same sum, or both of them beyond what is allowed. */
function expectSum(found: number, parts: readonly { cost: number; isOver: boolean }[]): void {
  const isOver = parts.some((each) => each.isOver)
  expect([found >= FORBIDDEN / 2, isOver]).toEqual([isOver, isOver])
  const sum = parts.reduce((total, { cost }) => total + cost, 0)
  if (!isOver) expect(Math.abs(found - sum)).toBeLessThan(1e-7 + 1e-6 * sum)
}

describe('the cost of a leg', () => {
  it('before its first audio is that of its first blocks, cell by cell', () => {
    fc.assert(
      fc.property(anyPlan, slots, ranges, (hasSteps, held, { from, to }) => {
        const plan = planWith(hasSteps)
        const own = { blocks: plan.curve.openBlocks, frames: null }
        const parts = held.slice(from, to).map((slot) => costIn(plan, slot, own))
        expectSum(costsOf(plan, held).opening(from, to), parts)
      }),
    )
  })

  it('while it is heard is that of all it has taken by the end of each cell', () => {
    fc.assert(
      fc.property(anyPlan, slots, ranges, frameTimes, (hasSteps, held, range, frameMs) => {
        const plan = planWith(hasSteps)
        const leg = { startMs: range.from * SLOT_MS + 100, frameMs }
        const sent = sentBy(range, leg)
        const parts = held.slice(range.from, range.to).map((slot, at) => {
          const frames = sent[at] as number
          return costIn(plan, slot, { blocks: plan.curve.blocksAfter(frames), frames })
        })
        expectSum(costsOf(plan, held).sending(range.from, range.to, leg), parts)
      }),
    )
  })

  it('in its tail is that of its peak, in as many cells as the tail has', () => {
    const tails = fc.record({
      from: fc.integer({ min: 0, max: CELLS - 1 }),
      tailSlots: fc.integer({ min: 1, max: 12 }),
      frames: fc.integer({ min: 1, max: 2_000 }),
    })
    fc.assert(
      fc.property(anyPlan, slots, tails, (hasSteps, held, { from, tailSlots, frames }) => {
        const plan = planWith(hasSteps)
        const own = { blocks: plan.curve.peakBlocks(frames), frames }
        const parts = held.slice(from, from + tailSlots).map((slot) => costIn(plan, slot, own))
        expectSum(costsOf(plan, held, { tailSlots }).tail(from, frames), parts)
      }),
      { numRuns: 300 },
    )
  })

  it('rises with what is over, so that the least of all evils is chosen', () => {
    const full = (blocks: number) => costsOf(cheap, Array(CELLS).fill({ ...quiet, blocks }))
    const leg = { startMs: 0, frameMs: 80 }
    const each = [96, 98, 100].map((blocks) => full(blocks))
    const rising = (costs: number[]) => {
      expect(costs).toEqual([...costs].sort((one, other) => one - other))
      expect(new Set(costs).size).toBe(costs.length)
    }
    rising(each.map((costs) => costs.opening(0, 4)))
    rising(each.map((costs) => costs.sending(0, 4, leg)))
    rising(each.map((costs) => costs.tail(0, 250)))
    // And with every cell that it is over in: change-overs wouldn't be made short else.
    const costs = full(100)
    expect(costs.opening(0, 4)).toBeGreaterThan(1.9 * costs.opening(0, 2))
    const longer = costsOf(cheap, Array(CELLS).fill({ ...quiet, blocks: 100 }), { tailSlots: 8 })
    expect(longer.tail(0, 250)).toBeGreaterThan(1.9 * costs.tail(0, 250))
  })

  it('is more the longer steps take beyond what they may', () => {
    const full = (stepMs: number) => costsOf(withSteps, Array(CELLS).fill({ ...quiet, stepMs }))
    const leg = { startMs: 0, frameMs: 80 }
    const [one, two] = [full(STEP_MS), full(STEP_MS + 1)]
    expect(two.sending(0, 4, leg) - one.sending(0, 4, leg)).toBeGreaterThan(3.9 * FORBIDDEN)
    expect(two.tail(0, 250) - one.tail(0, 250)).toBeGreaterThan(3.9 * FORBIDDEN)
  })
})

describe('steps of a lane that is replayed faster', () => {
  it('cost it twice where it takes part in two at once, and nobody less for being slow', () => {
    const held = Array<Slot>(CELLS).fill(quiet)
    const leg = { startMs: 0, frameMs: 80 }
    const stepsOf = (pace: number) =>
      costsOf(withSteps, held, { pace }).sending(0, 10, leg) -
      costsOf(cheap, held, { pace }).sending(0, 10, leg)
    expect(stepsOf(2) / stepsOf(1)).toBeCloseTo(2, 6)
    expect(stepsOf(0.5)).toBe(stepsOf(1))
  })
})

describe('what is only expected', () => {
  const leg = { startMs: 0, frameMs: 80 }
  const over: Slot = { blocks: KV_BLOCKS + 50, stepMs: STEP_MS + 5, sessions: SESSIONS }
  const all = (costs: SlotCosts) => [
    costs.opening(0, 10),
    costs.sending(0, 10, leg),
    costs.tail(0, 30),
  ]

  it('forbids nothing where it is an average of what nobody has planned yet', () => {
    for (const plan of [cheap, withSteps]) {
      const held = Array.from({ length: CELLS }, (_, slot) => (slot < 10 ? quiet : over))
      const costs = costsOf(plan, held, { firmSlots: 10 })
      expect(costs.opening(10, 20)).toBeLessThan(FORBIDDEN)
      expect(costs.sending(10, 20, { startMs: 4_000, frameMs: 80 })).toBeLessThan(FORBIDDEN)
      expect(costs.tail(10, 30)).toBeLessThan(FORBIDDEN)
      // In the last firm cell it does.
      const firm = costsOf(plan, held, { firmSlots: 11 })
      expect(firm.opening(10, 11)).toBeGreaterThan(FORBIDDEN)
      expect(firm.tail(7, 30)).toBeGreaterThan(FORBIDDEN)
      expect(firm.tail(6, 30)).toBeLessThan(FORBIDDEN)
    }
  })

  it('makes everything dearer where others are still to come, and forbids nothing', () => {
    for (const plan of [cheap, withSteps]) {
      const held = Array<Slot>(CELLS).fill(quiet)
      const alone = all(costsOf(plan, held))
      const beside = all(costsOf(plan, held, { coming: { blocks: 30, stepMs: 4 } }))
      beside.forEach((cost, at) => {
        expect(cost).toBeGreaterThan(1e3 * (alone[at] as number))
        expect(cost).toBeLessThan(FORBIDDEN)
      })
    }
  })

  it('gets no dearer beyond a full engine and a tenth', () => {
    const held = Array<Slot>(CELLS).fill(quiet)
    const much = all(costsOf(withSteps, held, { coming: { blocks: 1e3, stepMs: 1e3 } }))
    const more = all(costsOf(withSteps, held, { coming: { blocks: 1e6, stepMs: 1e6 } }))
    expect(more).toEqual(much)
  })
})
