import {
  type EnginePlan,
  frameMsOf,
  type LaneLoad,
  meanBlocks,
  meanStepMs,
  RELEASE_GRACE_MS,
} from '../load/engine-plan.js'
import type { LoadProfile } from '../load/load-profile.js'
import { type Coming, FORBIDDEN, SlotCosts, STEEPNESS } from '../load/slot-costs.js'
import type { CutOption } from './cut-option.js'
import type { PlannedSegment } from './planned-segment.js'

/** One lane whose next cuts are to be chosen. */
export interface LaneTask {
  readonly pace: number
  /** The leg to plan from: when it opens, when its first frame is due, and which that is. */
  readonly first: { readonly openMs: number; readonly startMs: number; readonly fromFrame: number }
  /** No cut of the first leg may lie before this frame: it is sent already, or will be. */
  readonly earliestEndFrame: number
  /** Until then every lane has published its legs; later loads are averages, and bind nobody. */
  readonly firmUntilMs: number
  /** What others that are still to come would ask for: makes blocks dearer, forbids nothing. */
  readonly coming: Coming
  /** Cuts after `first.fromFrame` in order; the last one is of the kind `end`. */
  readonly cuts: readonly CutOption[]
}

/** What legs are chosen by. */
export interface LegPrice {
  /** The length at which all lanes together fill the engine; frames. */
  readonly legFrames: number
  /** What a leg costs beside what it holds: makes legs long. */
  readonly perLeg: number
}

/** How full the engine is meant to be: the rest is for what can't be cut at the right moment. */
export const FILL_SHARE = 0.975
/** A cut into speech costs the context of several legs. */
const QUIET_CUT_LEGS = 4
/** Legs longer than this multiple of the common length are not looked at. */
const LONGEST_LEG = 2.2

/**
 * The price of a leg at which so many lanes on this engine fill `FILL_SHARE` of it with legs of one
 * length: equal legs hold the least for their number of cuts, because what a session holds grows
 * with its age.
 */
export function legPrice(
  plan: EnginePlan,
  legFrames: number,
  { lanes, pace }: LaneLoad,
  slotMs: number,
): LegPrice {
  const frameMs = frameMsOf(pace)
  const longer = legFrames * 1.05
  const shorter = legFrames / 1.05
  const price = (mean: typeof meanBlocks, capacity: number) => {
    if (!Number.isFinite(capacity)) return 0
    const load = Math.min(FILL_SHARE, (lanes * mean(plan, Math.round(legFrames), pace)) / capacity)
    const slope =
      (mean(plan, Math.round(longer), pace) - mean(plan, Math.round(shorter), pace)) /
      (longer - shorter)
    return Math.exp(STEEPNESS * (load - 1)) * (STEEPNESS / capacity) * Math.max(slope, 1e-6)
  }
  const { kvBlocks, stepMs } = plan.limits
  const marginal = price(meanBlocks, kvBlocks) + price(meanStepMs, stepMs)
  const perLeg = (marginal * legFrames * legFrames * frameMs) / slotMs
  const isUncrowded = legFrames >= plan.ceilingFrames
  return { legFrames, perLeg: isUncrowded ? perLeg * 10 : perLeg }
}

/** The outcome of a plan. */
export interface CutSearchResult {
  /** In order, from the first leg to the horizon of the load, or to the end of the recording. */
  readonly segments: readonly PlannedSegment[]
  /** Whether no cell goes beyond the engine's limits. */
  readonly fits: boolean
}

/**
 * Chooses the cuts of one lane against the load of all others: the cheapest way through its cuts,
 * where each leg costs `perLeg` and each block more the fuller the engine is at that moment. Every
 * leg is as long as the floor and no longer than the ceiling where the cuts allow it.
 */
export function searchCuts(
  plan: EnginePlan,
  others: LoadProfile,
  task: LaneTask,
  price: LegPrice,
): CutSearchResult {
  return new LaneSearch(plan, others, task, price).run()
}

class LaneSearch {
  private readonly plan: EnginePlan
  private readonly others: LoadProfile
  private readonly task: LaneTask
  private readonly price: LegPrice
  private readonly frameMs: number
  private readonly costs: SlotCosts
  private readonly tailSlots: number
  /** When the first frame after cut j is due; j = 0 is the first leg. */
  private readonly startsMs: Float64Array
  private readonly best: Float64Array
  private readonly from: Int32Array

  constructor(plan: EnginePlan, others: LoadProfile, task: LaneTask, price: LegPrice) {
    this.plan = plan
    this.others = others
    this.task = task
    this.price = price
    this.frameMs = frameMsOf(task.pace)
    this.tailSlots = Math.ceil((plan.tailMs + RELEASE_GRACE_MS) / others.slotMs) + 1
    const firmSlots = others.slotAt(task.firmUntilMs)
    const { pace } = task
    const { tailSlots } = this
    this.costs = new SlotCosts(plan, others, task.coming, { firmSlots, tailSlots, pace })
    const count = task.cuts.length + 1
    this.startsMs = this.starts(count)
    this.best = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
    this.from = new Int32Array(count).fill(-1)
  }

  run(): CutSearchResult {
    const { cuts } = this.task
    this.best[0] = 0
    let last = { cost: Number.POSITIVE_INFINITY, node: 0, cut: this.firstEnd() }
    for (let node = 0; node < cuts.length; node += 1) {
      const reached = this.best[node] as number
      if (!Number.isFinite(reached)) continue
      const horizonCost = this.extend(node, reached)
      // The leg that is running at the horizon ends the plan, for its share of a leg's price.
      if (horizonCost !== null && horizonCost.cost < last.cost) last = { ...horizonCost, node }
    }
    const end = this.best[cuts.length] as number
    if (end < last.cost) {
      last = { cost: end, node: this.from[cuts.length] as number, cut: cuts.length - 1 }
    }
    return { segments: this.path(last.node, last.cut), fits: last.cost < FORBIDDEN }
  }

  /** Where the first leg ends in any case. */
  private firstEnd(): number {
    const { cuts } = this.task
    const at = cuts.findIndex(({ kind }) => kind === 'end' || kind === 'skip')
    return at < 0 ? cuts.length - 1 : at
  }

  private starts(count: number): Float64Array {
    const { first, cuts } = this.task
    const starts = new Float64Array(count)
    starts[0] = first.startMs
    let skipped = 0
    for (let node = 1; node < count; node += 1) {
      const { endFrame, nextFrame, kind } = cuts[node - 1] as CutOption
      if (kind === 'skip') skipped += nextFrame - endFrame
      starts[node] = first.startMs + (nextFrame - first.fromFrame - skipped) * this.frameMs
    }
    return starts
  }

  /**
   * Looks at every leg that begins at a node. @returns the cost of the one that is cut last within
   * the horizon or goes beyond it, null where the recording ends before
   */
  private extend(node: number, reached: number): { cost: number; cut: number } | null {
    const { cuts, first, earliestEndFrame } = this.task
    const { others, plan, price, frameMs, costs } = this
    const fromFrame = node === 0 ? first.fromFrame : (cuts[node - 1] as CutOption).nextFrame
    const startMs = this.startsMs[node] as number
    const openMs = node === 0 ? first.openMs : startMs - plan.openAheadMs
    const longest = Math.min(plan.ceilingFrames, Math.ceil(price.legFrames * LONGEST_LEG))
    let slot = others.slotAt(startMs)
    let cost = reached + costs.opening(others.slotAt(openMs), slot)
    let isFound = false
    for (let cut = node; cut < cuts.length; cut += 1) {
      const { endFrame, kind } = cuts[cut] as CutOption
      const frames = endFrame - fromFrame
      const mustEnd = kind === 'end' || kind === 'skip'
      const isSent = node === 0 && endFrame < earliestEndFrame
      if (frames <= 0 || (!mustEnd && (isSent || frames < plan.floorFrames))) continue
      // Too long is allowed where there is nothing else: a leg that is older than it should be.
      if (frames > longest && isFound) return null
      isFound = true
      const endMs = startMs + frames * frameMs
      const endSlot = others.slotAt(endMs)
      cost += costs.sending(slot, endSlot, { startMs, frameMs })
      slot = Math.max(slot, endSlot)
      if (endSlot >= others.slots) {
        const horizonMs = others.originMs + others.slots * others.slotMs
        const share = Math.max(0, (horizonMs - startMs) / (price.legFrames * frameMs))
        return { cost: cost + price.perLeg * Math.min(1, share), cut }
      }
      const legs = kind === 'quiet' ? QUIET_CUT_LEGS : 1
      const total = cost + costs.tail(endSlot, frames) + price.perLeg * legs
      if (total < (this.best[cut + 1] as number)) {
        this.best[cut + 1] = total
        this.from[cut + 1] = node
      }
      if (kind === 'skip') return null
    }
    return null
  }

  private path(lastNode: number, lastCut: number): PlannedSegment[] {
    const { cuts, first } = this.task
    const segments: PlannedSegment[] = []
    let cut = lastCut
    for (let node = lastNode; node >= 0; ) {
      const { endFrame, kind } = cuts[cut] as CutOption
      const startMs = this.startsMs[node] as number
      segments.unshift({
        fromFrame: node === 0 ? first.fromFrame : (cuts[node - 1] as CutOption).nextFrame,
        endFrame,
        cut: kind,
        openMs: node === 0 ? first.openMs : startMs - this.plan.openAheadMs,
        startMs,
      })
      if (node === 0) break
      cut = node - 1
      node = this.from[node] as number
    }
    return segments
  }
}
