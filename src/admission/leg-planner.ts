import {
  type EnginePlan,
  frameMsOf,
  meanBlocks,
  meanStepMs,
  RELEASE_GRACE_MS,
} from './engine-plan.js'
import type { LoadProfile } from './load-profile.js'

/** Where a lane may change sessions. Frames are indexes in the recording. */
export interface CutOption {
  /** The leg before ends in front of this frame. */
  readonly endFrame: number
  /** The leg after begins with this one: the same, or earlier where they overlap. */
  readonly nextFrame: number
  /** `skip`: a silence is left out, so no leg goes across; `end`: of the recording. */
  readonly kind: 'pause' | 'quiet' | 'skip' | 'end'
}

/** A stretch of a lane for one session. */
export interface PlannedStretch {
  readonly fromFrame: number
  /** Exclusive. */
  readonly endFrame: number
  readonly cut: CutOption['kind']
  readonly openMs: number
  readonly startMs: number
}

/** One lane whose next cuts are to be chosen. */
export interface LaneTask {
  readonly pace: number
  /** The leg to plan from: when it opens, when its first frame is due, and which that is. */
  readonly first: { readonly openMs: number; readonly startMs: number; readonly fromFrame: number }
  /** No cut of the first leg may lie before this frame: it is sent already, or will be. */
  readonly earliestEndFrame: number
  /** Until then every lane has published its legs; later loads are averages, and bind nobody. */
  readonly firmUntilMs: number
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

/** How steeply a block costs more the fuller the engine is: e-fold in 1/60 of its capacity. */
const STEEPNESS = Number(process.env.K ?? 60)
/** How full the engine is meant to be: the rest is for what can't be cut at the right moment. */
export const FILL_SHARE = Number(process.env.U ?? 0.975)
/** Cost of a cell beyond capacity: more than everything that is allowed together. */
const FORBIDDEN = 1e9
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
  lanes: number,
  cellMs: number,
): LegPrice {
  const frameMs = frameMsOf(1)
  const longer = legFrames * 1.05
  const shorter = legFrames / 1.05
  const price = (mean: typeof meanBlocks, capacity: number) => {
    if (!Number.isFinite(capacity)) return 0
    const load = Math.min(FILL_SHARE, (lanes * mean(plan, Math.round(legFrames), 1)) / capacity)
    const slope =
      (mean(plan, Math.round(longer), 1) - mean(plan, Math.round(shorter), 1)) / (longer - shorter)
    return Math.exp(STEEPNESS * (load - 1)) * (STEEPNESS / capacity) * Math.max(slope, 1e-6)
  }
  const { kvBlocks, stepMs } = plan.limits
  const marginal = price(meanBlocks, kvBlocks) + price(meanStepMs, stepMs)
  const perLeg = (marginal * legFrames * legFrames * frameMs) / cellMs
  const isUncrowded = legFrames >= plan.ceilingFrames
  return { legFrames, perLeg: isUncrowded ? perLeg * 10 : perLeg }
}

/** The outcome of a plan. */
export interface LanePlan {
  /** In order, from the first leg to the horizon of the load, or to the end of the recording. */
  readonly stretches: readonly PlannedStretch[]
  /** Whether no cell goes beyond the engine's limits. */
  readonly fits: boolean
}

/**
 * Chooses the cuts of one lane against the load of all others: the cheapest way through its cuts,
 * where each leg costs `perLeg` and each block more the fuller the engine is at that moment. Every
 * leg is as long as the floor and no longer than the ceiling where the cuts allow it.
 */
export function planLane(
  plan: EnginePlan,
  others: LoadProfile,
  task: LaneTask,
  price: LegPrice,
): LanePlan {
  return new LaneSearch(plan, others, task, price).run()
}

class LaneSearch {
  private readonly plan: EnginePlan
  private readonly others: LoadProfile
  private readonly task: LaneTask
  private readonly price: LegPrice
  private readonly frameMs: number
  private readonly otherBlocks: Float64Array
  private readonly otherSessions: Float64Array
  private readonly kvBlocks: number
  private readonly sessionsMax: number
  private readonly hasStepModel: boolean
  private readonly firmCells: number
  /** What a block costs by cell, before the lane's own are added. */
  private readonly blockPrice: Float64Array
  private readonly stepPrice: Float64Array
  /** Factor of n blocks of its own. */
  private readonly ownBlocks: Float64Array
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
    const { kvBlocks, stepMs, sessions } = plan.limits
    this.otherBlocks = others.blocks
    this.otherSessions = others.sessions
    this.kvBlocks = kvBlocks
    this.sessionsMax = sessions
    this.firmCells = others.cellAt(task.firmUntilMs)
    this.hasStepModel = plan.stepModel !== null
    const scaled = (load: Float64Array, capacity: number) =>
      Float64Array.from(load, (level) => Math.exp(STEEPNESS * (level / capacity - 1)))
    this.blockPrice = scaled(others.blocks, kvBlocks)
    this.stepPrice = plan.stepModel ? scaled(others.stepMs, stepMs) : new Float64Array(0)
    const most = plan.curve.peakBlocks(Number.MAX_SAFE_INTEGER)
    this.ownBlocks = Float64Array.from({ length: most + 1 }, (_, blocks) =>
      Math.expm1((STEEPNESS * blocks) / kvBlocks),
    )
    const count = task.cuts.length + 1
    this.startsMs = this.starts(count)
    this.best = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
    this.from = new Int32Array(count).fill(-1)
  }

  run(): LanePlan {
    const { cuts } = this.task
    this.best[0] = 0
    let last = { cost: Number.POSITIVE_INFINITY, node: 0, cut: cuts.length - 1 }
    for (let node = 0; node < cuts.length; node += 1) {
      const reached = this.best[node] as number
      if (!Number.isFinite(reached)) continue
      const horizonCost = this.extend(node, reached)
      // The leg that is running at the horizon ends the plan, for its share of a leg's price.
      if (horizonCost !== null && horizonCost.cost < last.cost) last = { ...horizonCost, node }
    }
    const end = this.best[cuts.length] as number
    if (end <= last.cost)
      last = { cost: end, node: this.from[cuts.length] as number, cut: cuts.length - 1 }
    return { stretches: this.path(last.node, last.cut), fits: last.cost < FORBIDDEN }
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
    const { cuts, first } = this.task
    const { others, plan, price, frameMs } = this
    const fromFrame = node === 0 ? first.fromFrame : (cuts[node - 1] as CutOption).nextFrame
    const startMs = this.startsMs[node] as number
    const openMs = node === 0 ? first.openMs : startMs - plan.openAheadMs
    const shortest = plan.floorFrames
    const longest = Math.min(plan.ceilingFrames, Math.ceil(price.legFrames * LONGEST_LEG))
    const startCell = others.cellAt(startMs)
    let cost = reached
    for (let cell = others.cellAt(openMs); cell < startCell; cell += 1) {
      cost += this.cellCost(cell, plan.curve.openBlocks, 0)
    }
    const horizonMs = others.originMs + others.cells * others.cellMs
    let cell = startCell
    let isFound = false
    for (let cut = node; cut < cuts.length; cut += 1) {
      const { endFrame, kind } = cuts[cut] as CutOption
      const frames = endFrame - fromFrame
      if (frames <= 0 || (node === 0 && endFrame < this.task.earliestEndFrame)) continue
      const mustEnd = kind === 'end' || kind === 'skip'
      if (frames < shortest && !mustEnd) continue
      // Too long is allowed where there is nothing else: a leg that is older than it should be.
      if (frames > longest && isFound) return null
      isFound = true
      const endMs = startMs + frames * frameMs
      const endCell = others.cellAt(endMs)
      for (; cell < endCell; cell += 1) {
        const cellEndMs = others.originMs + (cell + 1) * others.cellMs
        const heard = Math.floor((cellEndMs - startMs) / frameMs) + 1
        cost += this.cellCost(cell, plan.curve.blocksAfter(heard), heard)
      }
      if (endCell >= others.cells) {
        const share = Math.max(0, (horizonMs - startMs) / (price.legFrames * frameMs))
        return { cost: cost + price.perLeg * Math.min(1, share), cut }
      }
      const legs = kind === 'quiet' ? QUIET_CUT_LEGS : 1
      const total = cost + this.tailCost(endMs, frames) + price.perLeg * legs
      if (total < (this.best[cut + 1] as number)) {
        this.best[cut + 1] = total
        this.from[cut + 1] = node
      }
      if (kind === 'skip') return null
    }
    return null
  }

  private tailCost(endMs: number, frames: number): number {
    const { others, plan } = this
    const peak = plan.curve.peakBlocks(frames)
    const until = others.cellAt(endMs + plan.tailMs + RELEASE_GRACE_MS) + 1
    let cost = 0
    for (let cell = others.cellAt(endMs); cell < until && cell < others.cells; cell += 1) {
      cost += this.cellCost(cell, peak, frames)
    }
    return cost
  }

  private cellCost(cell: number, blocks: number, ageFrames: number): number {
    const over = (this.otherBlocks[cell] as number) + blocks - this.kvBlocks
    let cost = (this.blockPrice[cell] as number) * (this.ownBlocks[blocks] as number)
    if (cell < this.firmCells) {
      if (over > 0) cost += FORBIDDEN * over
      if ((this.otherSessions[cell] as number) >= this.sessionsMax) cost += FORBIDDEN
    }
    return this.hasStepModel ? cost + this.stepCost(cell, ageFrames) : cost
  }

  private stepCost(cell: number, ageFrames: number): number {
    const { stepModel, limits } = this.plan
    const ownMs = (stepModel?.perSessionMs ?? 0) + (stepModel?.perFrameMs ?? 0) * ageFrames
    const overMs = (this.others.stepMs[cell] as number) + ownMs - limits.stepMs
    const cost = ((this.stepPrice[cell] as number) * STEEPNESS * ownMs) / limits.stepMs
    return overMs > 0 && cell < this.firmCells ? cost + FORBIDDEN * (1 + overMs) : cost
  }

  private path(lastNode: number, lastCut: number): PlannedStretch[] {
    const { cuts, first } = this.task
    const stretches: PlannedStretch[] = []
    let cut = lastCut
    for (let node = lastNode; node >= 0; ) {
      const { endFrame, kind } = cuts[cut] as CutOption
      const startMs = this.startsMs[node] as number
      stretches.unshift({
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
    return stretches
  }
}
