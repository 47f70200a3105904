import type { EnginePlan } from './engine-plan.js'
import type { LoadProfile } from './load-profile.js'

/** How steeply a block costs more the fuller the engine is: e-fold in 1/60 of its capacity. */
export const STEEPNESS = 60
/**
 * Cost of going beyond what there is: more than everything that is allowed together, also where one
 * session is a good part of a small engine; and not so much that cheaper ways are lost in it.
 */
export const FORBIDDEN = 1e18

/** However full an engine is, nothing gets dearer beyond this multiple of its capacity. */
const DEAREST_LOAD = 1.1

/** A load that isn't there yet, the same in all cells. */
export interface Coming {
  readonly blocks: number
  readonly stepMs: number
}

/**
 * What a leg costs in each cell of a load: the more, the fuller the engine is there without it. The
 * hot part of planning, so everything that doesn't depend on the leg is tabled at once.
 */
export class SlotCosts {
  private readonly plan: EnginePlan
  private readonly originMs: number
  private readonly slotMs: number
  private readonly slots: number
  private readonly tailSlots: number
  private readonly openCost: number
  private readonly blockPrice: Float64Array
  /** Blocks that are left in a cell; without end where later plans bind nobody. */
  private readonly room: Float64Array
  /** Sums of the prices before a cell, and least room of a tail that begins there. */
  private readonly blockPriceSums: Float64Array
  private readonly tailRoom: Float64Array
  /** What n blocks of its own cost, as a multiple of the price. */
  private readonly ownBlocks: Float64Array
  /** The same for the time of a step; null where steps cost nothing. */
  private readonly steps: StepCosts | null

  /**
   * @param lane.firmSlots beyond them loads are averages, and forbid nothing
   * @param lane.pace at twice real time a session takes part in two steps where others do in one
   */
  constructor(
    plan: EnginePlan,
    others: LoadProfile,
    coming: Coming,
    lane: { firmSlots: number; tailSlots: number; pace: number },
  ) {
    const { kvBlocks, sessions } = plan.limits
    const { blocks, slots } = others
    this.plan = plan
    this.originMs = others.originMs
    this.slotMs = others.slotMs
    this.slots = slots
    this.tailSlots = lane.tailSlots
    this.blockPrice = prices(others, { load: blocks, coming: coming.blocks, capacity: kvBlocks })
    const open = others.sessions
    this.room = roomOf(slots, lane.firmSlots, (slot) => {
      return (open[slot] as number) >= sessions ? 0 : kvBlocks - (blocks[slot] as number)
    })
    this.blockPriceSums = sumsBefore(this.blockPrice, slots)
    this.tailRoom = leastAhead(this.room, slots, lane.tailSlots)
    const most = plan.curve.peakBlocks(Number.MAX_SAFE_INTEGER)
    this.ownBlocks = new Float64Array(most + 1)
    for (let own = 0; own <= most; own += 1) {
      this.ownBlocks[own] = Math.expm1((STEEPNESS * own) / kvBlocks)
    }
    this.openCost = this.ownBlocks[plan.curve.openBlocks] as number
    this.steps = plan.stepModel ? new StepCosts(plan, others, coming, lane) : null
  }

  /** Before its first audio. */
  opening(from: number, to: number): number {
    let cost = 0
    const { openBlocks } = this.plan.curve
    for (let slot = from; slot < to; slot += 1) {
      const over = openBlocks - (this.room[slot] as number)
      cost += (this.blockPrice[slot] as number) * this.openCost
      if (over > 0) cost += FORBIDDEN * over
    }
    return cost
  }

  /** While its audio is sent, in cells `from` to `to`, `to` not included. */
  sending(from: number, to: number, leg: { startMs: number; frameMs: number }): number {
    const { blockPrice, room, ownBlocks, steps } = this
    const { curve } = this.plan
    const framesPerSlot = this.slotMs / leg.frameMs
    const atOrigin = (this.originMs - leg.startMs) / leg.frameMs
    let cost = 0
    for (let slot = from; slot < to; slot += 1) {
      const heard = Math.floor(atOrigin + (slot + 1) * framesPerSlot) + 1
      const blocks = curve.blocksAfter(heard)
      const over = blocks - (room[slot] as number)
      cost += (blockPrice[slot] as number) * (ownBlocks[blocks] as number)
      if (over > 0) cost += FORBIDDEN * over
      if (steps !== null) cost += steps.at(slot, heard)
    }
    return cost
  }

  /** From the end of its audio to its release, with all blocks that it ever has. */
  tail(from: number, frames: number): number {
    const peak = this.plan.curve.peakBlocks(frames)
    const to = Math.min(this.slots, from + this.tailSlots)
    const over = peak - (this.tailRoom[from] as number)
    const price = (this.blockPriceSums[to] as number) - (this.blockPriceSums[from] as number)
    let cost = price * (this.ownBlocks[peak] as number)
    // In every cell, as while its audio is sent: else change-overs gather where it is full.
    if (over > 0) cost += FORBIDDEN * over * (to - from)
    return this.steps === null ? cost : cost + this.steps.tail(from, to, frames)
  }
}

/** What a session's part of every step costs. */
class StepCosts {
  private readonly perSessionMs: number
  private readonly perFrameMs: number
  private readonly price: Float64Array
  private readonly room: Float64Array
  private readonly priceSums: Float64Array
  private readonly tailRoom: Float64Array

  constructor(
    plan: EnginePlan,
    others: LoadProfile,
    coming: Coming,
    { firmSlots, tailSlots, pace }: { firmSlots: number; tailSlots: number; pace: number },
  ) {
    const { stepMs: mostMs } = plan.limits
    const { stepMs, slots } = others
    const stepsAtOnce = Math.max(1, pace)
    this.perSessionMs = (plan.stepModel?.perSessionMs ?? 0) * stepsAtOnce
    this.perFrameMs = (plan.stepModel?.perFrameMs ?? 0) * stepsAtOnce
    this.price = prices(others, { load: stepMs, coming: coming.stepMs, capacity: mostMs })
    for (let slot = 0; slot < slots; slot += 1) {
      this.price[slot] = ((this.price[slot] as number) * STEEPNESS) / mostMs
    }
    this.room = roomOf(slots, firmSlots, (slot) => mostMs - (stepMs[slot] as number))
    this.priceSums = sumsBefore(this.price, slots)
    this.tailRoom = leastAhead(this.room, slots, tailSlots)
  }

  at(slot: number, heard: number): number {
    const ownMs = this.perSessionMs + this.perFrameMs * heard
    const overMs = ownMs - (this.room[slot] as number)
    const cost = (this.price[slot] as number) * ownMs
    return overMs > 0 ? cost + FORBIDDEN * (1 + overMs) : cost
  }

  tail(from: number, to: number, frames: number): number {
    const ownMs = this.perSessionMs + this.perFrameMs * frames
    const overMs = ownMs - (this.tailRoom[from] as number)
    const cost = ((this.priceSums[to] as number) - (this.priceSums[from] as number)) * ownMs
    return overMs > 0 ? cost + FORBIDDEN * (1 + overMs) * (to - from) : cost
  }
}

function prices(
  { slots }: LoadProfile,
  { load, coming, capacity }: { load: Float64Array; coming: number; capacity: number },
): Float64Array {
  const scaled = new Float64Array(slots)
  for (let slot = 0; slot < slots; slot += 1) {
    const share = Math.min(DEAREST_LOAD, ((load[slot] as number) + coming) / capacity)
    scaled[slot] = Math.exp(STEEPNESS * (share - 1))
  }
  return scaled
}

function roomOf(slots: number, firmSlots: number, left: (slot: number) => number): Float64Array {
  const room = new Float64Array(slots).fill(Number.POSITIVE_INFINITY)
  for (let slot = 0; slot < Math.min(slots, firmSlots); slot += 1) room[slot] = left(slot)
  return room
}

function sumsBefore(values: Float64Array, slots: number): Float64Array {
  const sums = new Float64Array(slots + 1)
  for (let slot = 0; slot < slots; slot += 1) {
    sums[slot + 1] = (sums[slot] as number) + (values[slot] as number)
  }
  return sums
}

/** The least of so many values from each one on. */
function leastAhead(values: Float64Array, slots: number, width: number): Float64Array {
  const least = new Float64Array(slots + 1).fill(Number.POSITIVE_INFINITY)
  // A queue of cells whose values rise: its first is the least of the window.
  const queue = new Int32Array(slots)
  let first = 0
  let count = 0
  for (let slot = slots - 1; slot >= 0; slot -= 1) {
    const value = values[slot] as number
    while (count > 0 && (values[queue[first + count - 1] as number] as number) >= value) count -= 1
    queue[first + count] = slot
    count += 1
    while ((queue[first] as number) >= slot + width) {
      first += 1
      count -= 1
    }
    least[slot] = values[queue[first] as number] as number
  }
  return least
}
