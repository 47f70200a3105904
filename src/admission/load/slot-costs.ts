import type { EnginePlan } from './engine-plan.js'
import type { LoadProfile } from './load-profile.js'

/** How fast the price of a block rises with the load: e-fold for each 1/60 of the capacity. */
export const STEEPNESS = 60
/**
 * Cost of each block, or ms of a step, beyond the engine's limit. It exceeds all allowed costs
 * together, also on a small engine of which one session takes a large part. It is small enough that
 * differences between allowed costs don't vanish in the rounding of a sum with it.
 */
export const FORBIDDEN = 1e18

/** Prices stop rising at this multiple of the capacity. */
const DEAREST_LOAD = 1.1

/** An expected load of lanes that are not admitted yet, the same in all time slots. */
export interface Coming {
  readonly blocks: number
  readonly stepMs: number
}

/**
 * What a leg costs in each time slot: the fuller the engine is there without the leg, the more.
 * Planning spends most of its time here, so all that doesn't depend on the leg is computed once,
 * into tables.
 */
export class SlotCosts {
  private readonly plan: EnginePlan
  private readonly originMs: number
  private readonly slotMs: number
  private readonly slots: number
  private readonly tailSlots: number
  private readonly openCost: number
  private readonly blockPrice: Float64Array
  /** Blocks left in a time slot; infinite beyond the firm slots, whose loads are averages. */
  private readonly room: Float64Array
  /** Sum of the prices before a slot; `tailRoom`: least room of a tail that begins in a slot. */
  private readonly blockPriceSums: Float64Array
  private readonly tailRoom: Float64Array
  /** Cost of n blocks of the leg itself, as a multiple of the price. */
  private readonly ownBlocks: Float64Array
  /** The costs for the time of a step; null where step times aren't known. */
  private readonly steps: StepCosts | null

  /**
   * @param lane.firmSlots slots from now on with exact loads; later loads are averages, and forbid
   *   nothing
   * @param lane.pace at twice real time a session costs two steps where others cost one
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

  /** Cost of a leg between its opening and its first audio, in slots `from` to `to` − 1. */
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

  /** Cost of a leg while its audio is sent, in slots `from` to `to` − 1. */
  sending(from: number, to: number, leg: { startMs: number; frameMs: number }): number {
    const { blockPrice, room, ownBlocks, steps } = this
    const { curve } = this.plan
    const framesPerSlot = this.slotMs / leg.frameMs
    const atOrigin = (this.originMs - leg.startMs) / leg.frameMs
    let cost = 0
    for (let slot = from; slot < to; slot += 1) {
      const received = Math.floor(atOrigin + (slot + 1) * framesPerSlot) + 1
      const blocks = curve.blocksAfter(received)
      const over = blocks - (room[slot] as number)
      cost += (blockPrice[slot] as number) * (ownBlocks[blocks] as number)
      if (over > 0) cost += FORBIDDEN * over
      if (steps !== null) cost += steps.at(slot, received)
    }
    return cost
  }

  /** Cost from the end of a leg's audio to its release, with the most blocks that it ever holds. */
  tail(from: number, frames: number): number {
    const peak = this.plan.curve.peakBlocks(frames)
    const to = Math.min(this.slots, from + this.tailSlots)
    const over = peak - (this.tailRoom[from] as number)
    const price = (this.blockPriceSums[to] as number) - (this.blockPriceSums[from] as number)
    let cost = price * (this.ownBlocks[peak] as number)
    // Charged in every slot, as while audio is sent. A tail charged once would be cheap by
    // comparison, and changes of legs would gather where the engine is full.
    if (over > 0) cost += FORBIDDEN * over * (to - from)
    return this.steps === null ? cost : cost + this.steps.tail(from, to, frames)
  }
}

/** What the time costs that a session adds to every step. */
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

  at(slot: number, received: number): number {
    const ownMs = this.perSessionMs + this.perFrameMs * received
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

/** For each index, the least of the `width` values from it on. */
function leastAhead(values: Float64Array, slots: number, width: number): Float64Array {
  const least = new Float64Array(slots + 1).fill(Number.POSITIVE_INFINITY)
  // A queue of slots whose values rise: its first one is the least of the window.
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
