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

/** A lane whose next cuts are to be chosen. */
export interface LaneTask {
  readonly pace: number
  /** The first leg to plan: when it opens, when its first frame is due, and which frame that is. */
  readonly first: { readonly openMs: number; readonly startMs: number; readonly fromFrame: number }
  /**
   * No cut of the first leg may lie before this frame: audio up to here is sent, or soon will be.
   */
  readonly earliestEndFrame: number
  /** Up to this time every lane has published its legs; later loads are averages without limits. */
  readonly firmUntilMs: number
  /** The load of lanes that are still to come: it raises prices, but excludes no cut. */
  readonly coming: Coming
  /** Cuts after `first.fromFrame` in order; the last one is of the kind `end`. */
  readonly cuts: readonly CutOption[]
}

/** The prices by which legs are chosen. */
export interface LegPrice {
  /** The length of legs, in frames, at which all lanes together fill the engine. */
  readonly legFrames: number
  /** The cost of a leg in itself, beside that of its blocks: it makes legs long. */
  readonly perLeg: number
}

/** Planned use of the engine: 2.5 % are left for lanes without a cut at the right moment. */
export const FILL_SHARE = 0.975
/** A cut in speech counts as four legs: it loses context, and so accuracy. */
const QUIET_CUT_LEGS = 4
/** Legs longer than this multiple of the common length are not considered. */
const LONGEST_LEG = 2.2

/**
 * The price at which the lanes of an engine choose legs of `legFrames`, with which they fill
 * `FILL_SHARE` of it. Legs of equal length are best: what a session holds grows with its age, so
 * for the same number of cuts they hold the fewest blocks.
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

/** The cuts that were chosen. */
export interface CutSearchResult {
  /**
   * Segments in order, from the first leg to the horizon of the load or the end of the recording.
   */
  readonly segments: readonly PlannedSegment[]
  /** Whether the load stays within the engine's limits in every time slot. */
  readonly fits: boolean
}

/**
 * Chooses the cuts of one lane against the load of all others: the cheapest sequence of cuts, where
 * each leg costs `perLeg`, and each block costs the more, the fuller the engine is at that moment.
 * Where the cuts allow it, every leg is at least as long as the floor and at most as the ceiling.
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
  /** When the first frame after each cut is due; entry 0 is the start of the first leg. */
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
      // The leg that runs at the horizon ends the plan, and costs its share of a leg's price.
      if (horizonCost !== null && horizonCost.cost < last.cost) last = { ...horizonCost, node }
    }
    const end = this.best[cuts.length] as number
    if (end < last.cost) {
      last = { cost: end, node: this.from[cuts.length] as number, cut: cuts.length - 1 }
    }
    return { segments: this.path(last.node, last.cut), fits: last.cost < FORBIDDEN }
  }

  /** The cut at which the first leg must end: the next silence to skip, or the recording's end. */
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
   * Rates every leg that begins at a node (the first frame, or after a cut). @returns the cost of
   * the leg that reaches the horizon; null where no leg does
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
      // A leg longer than the longest is allowed only where there is no earlier cut.
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
