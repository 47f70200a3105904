import { type EnginePlan, frameMsOf, legFramesFor } from './engine-plan.js'
import type { Ledger, PlannedLeg } from './ledger.js'
import { lanesCarried } from './ledger-changes.js'
import { isOverdue, loadOf } from './ledger-load.js'
import {
  type CutOption,
  FILL_SHARE,
  type LaneTask,
  legPrice,
  type PlannedStretch,
  planLane,
} from './leg-planner.js'
import type { LoadProfile } from './load-profile.js'

/** Lanes publish the cuts of so much time ahead; what comes later counts on average. */
export const PUBLISH_MS = 600_000
/** At least so many legs of the common length are looked ahead. */
const LEGS_AHEAD = 4
const PUBLISH_MIN_MS = 120_000
/** Cells of a plan: fine enough for short legs, few enough to be searched in a millisecond. */
const CELLS_MAX = 1_200
const CELL_MS_MIN = 250
const CELL_MS_MAX = 60_000
/** Policies that know every leg to its end look at all of it, in more cells. */
const KNOWN_CELLS_MAX = 8_192

/** A lane as it asks for its next legs. */
export interface LaneRequest {
  readonly chainId: string
  readonly pace: number
  /** The leg that runs, or the one to be opened. */
  readonly first: LaneTask['first']
  /** See `LaneTask`. */
  readonly earliestEndFrame: number
  readonly cuts: readonly CutOption[]
  /** Index of the first leg in its chain. */
  readonly firstIndex: number
  /** Whether the first leg holds its session. */
  readonly isOpen: boolean
  /** What the first leg is known to be behind. */
  readonly behindMs: number
  /** Older legs of the same lane that hold their sessions still; they count beside it. */
  readonly held: readonly PlannedLeg[]
}

/** The next legs of a lane. */
export interface LegPlan {
  readonly stretches: readonly PlannedStretch[]
  readonly legs: readonly PlannedLeg[]
  readonly restFrames: number
  /** Whether all of it stays within the engine's limits together with what others planned. */
  readonly fits: boolean
}

/**
 * Plans the next legs of one lane against everything else in a ledger, as the policy says.
 * @param waitingLanes lanes that would be let in if the others made room
 */
export function planLegs(
  plan: EnginePlan,
  ledger: Ledger,
  request: LaneRequest,
  context: { nowMs: number; waitingLanes: number },
): LegPlan {
  const others = ledger.chains.filter(({ id }) => id !== request.chainId)
  const rest = { ...ledger, chains: others }
  if (plan.policy !== 'elastic') return planKnown(plan, rest, request, context.nowMs)
  const lanes = lanesCarried(rest) + 1 + context.waitingLanes
  const legFrames = legFramesFor(plan, lanes, FILL_SHARE) ?? plan.floorFrames
  if (request.pace === 0) {
    // Its blocks are taken at once, so there is no curve to fit: equal legs, and see.
    return planKnown({ ...plan, ceilingFrames: legFrames }, rest, request, context.nowMs)
  }
  const legMs = legFrames * frameMsOf(1)
  const publishMs = Math.min(PUBLISH_MS, Math.max(PUBLISH_MIN_MS, LEGS_AHEAD * legMs))
  const horizonMs = publishMs + legMs
  const cellMs = clamp(horizonMs / CELLS_MAX, CELL_MS_MIN, CELL_MS_MAX)
  const scope = { nowMs: context.nowMs, horizonMs, cellMs, restLegFrames: legFrames }
  const load = loadOf(plan, rest, scope)
  for (const leg of request.held) {
    const overdue = isOverdue(plan, leg, request.pace, context.nowMs)
    load.addLeg(leg, request.pace, { overdue })
  }
  const price = legPrice(plan, legFrames, lanes, cellMs)
  const firmUntilMs = context.nowMs + publishMs
  const cuts = cutsWithin(request, context.nowMs + horizonMs, plan.ceilingFrames)
  const { stretches, fits } = planLane(plan, load, { ...request, cuts, firmUntilMs }, price)
  const published = stretches.filter((each, at) => at === 0 || each.startMs < firmUntilMs)
  return { ...asLegs(request, published), fits }
}

/** The policies without a choice: legs as long as the ceiling allows, known to the end. */
function planKnown(plan: EnginePlan, rest: Ledger, request: LaneRequest, nowMs: number): LegPlan {
  const stretches = longestLegs(plan, request)
  const legPlan = asLegs(request, stretches)
  if (plan.policy === 'fixed') return { ...legPlan, fits: true }
  const legs = [...request.held, ...legPlan.legs]
  const chain = chainOf(request, { ...legPlan, legs })
  const joint = { ...rest, chains: [...rest.chains, chain] }
  const horizonMs = Math.max(...joint.chains.map((each) => endMs(each, nowMs))) - nowMs + 10_000
  const cellMs = clamp(horizonMs / KNOWN_CELLS_MAX, CELL_MS_MIN, CELL_MS_MAX)
  return { ...legPlan, fits: staysWithin(plan, loadOf(plan, joint, { nowMs, horizonMs, cellMs })) }
}

/** Whether no cell of a load goes beyond what the engine can carry. */
export function staysWithin(plan: EnginePlan, load: LoadProfile): boolean {
  const { kvBlocks, sessions, stepMs } = plan.limits
  for (let cell = 0; cell < load.cells; cell += 1) {
    if ((load.blocks[cell] as number) > kvBlocks + ROUNDING) return false
    if ((load.sessions[cell] as number) > sessions) return false
    if (plan.stepModel !== null && (load.stepMs[cell] as number) > stepMs + ROUNDING) return false
  }
  return true
}

/** What sums of fractions may be off by. */
const ROUNDING = 1e-6

/** A chain as it would stand in the ledger with these legs. */
function chainOf(request: LaneRequest, legPlan: Pick<LegPlan, 'legs' | 'restFrames'>) {
  return {
    id: request.chainId,
    worker: '',
    pace: request.pace,
    live: false,
    legs: legPlan.legs,
    restFrames: legPlan.restFrames,
    parkedSinceMs: null,
  }
}

function endMs(
  chain: { legs: readonly PlannedLeg[]; restFrames: number; pace: number },
  nowMs: number,
) {
  const last = chain.legs.at(-1)
  const frameMs = frameMsOf(chain.pace)
  const fromMs = last ? last.startMs + last.behindMs + last.frames * frameMs : nowMs
  return fromMs + chain.restFrames * frameMs
}

function longestLegs(plan: EnginePlan, request: LaneRequest): PlannedStretch[] {
  const { cuts, pace } = request
  const frameMs = frameMsOf(pace)
  const stretches: PlannedStretch[] = []
  let { fromFrame, startMs, openMs } = request.first
  for (let at = 0; at < cuts.length; ) {
    const chosen = longestCut(plan, request, { fromFrame, at, isFirst: stretches.length === 0 })
    const { endFrame, nextFrame, kind } = cuts[chosen] as CutOption
    stretches.push({ fromFrame, endFrame, cut: kind, openMs, startMs })
    const sentFrames = (kind === 'skip' ? endFrame : nextFrame) - fromFrame
    startMs += sentFrames * frameMs
    openMs = startMs - plan.openAheadMs
    fromFrame = nextFrame
    at = chosen + 1
  }
  return stretches
}

/** The last pause before the ceiling, or the last quiet point, or what comes first. */
function longestCut(
  plan: EnginePlan,
  request: LaneRequest,
  from: { fromFrame: number; at: number; isFirst: boolean },
): number {
  const { cuts, earliestEndFrame } = request
  let best = -1
  for (let at = from.at; at < cuts.length; at += 1) {
    const { endFrame, kind } = cuts[at] as CutOption
    const frames = endFrame - from.fromFrame
    if (frames <= 0 || (from.isFirst && endFrame < earliestEndFrame)) continue
    const mustEnd = kind === 'end' || kind === 'skip'
    if (frames > plan.ceilingFrames && best >= 0) break
    if (mustEnd) return at
    if (frames < plan.floorFrames) continue
    const isBetter = best < 0 || kind === 'pause' || (cuts[best] as CutOption).kind === 'quiet'
    if (isBetter && Number.isFinite(plan.ceilingFrames)) best = at
    if (frames > plan.ceilingFrames) break
  }
  return best >= 0 ? best : cuts.length - 1
}

function cutsWithin(request: LaneRequest, untilMs: number, ceilingFrames: number): CutOption[] {
  const { cuts, first, pace } = request
  const reachFrames = Math.ceil((untilMs - first.startMs) / frameMsOf(pace)) + ceilingFrames
  const within: CutOption[] = []
  for (const cut of cuts) {
    if (cut.endFrame <= first.fromFrame) continue
    within.push(cut)
    if (cut.endFrame - first.fromFrame > reachFrames) break
  }
  return within
}

function asLegs(request: LaneRequest, stretches: readonly PlannedStretch[]): Omit<LegPlan, 'fits'> {
  const legs = stretches.map(
    ({ fromFrame, endFrame, openMs, startMs }, at): PlannedLeg => ({
      index: request.firstIndex + at,
      open: at === 0 && request.isOpen,
      openMs: Math.round(openMs),
      startMs: Math.round(startMs),
      frames: endFrame - fromFrame,
      behindMs: at === 0 ? request.behindMs : 0,
    }),
  )
  const plannedUntil = stretches.at(-1)?.endFrame ?? request.first.fromFrame
  const end = request.cuts.at(-1)?.endFrame ?? plannedUntil
  const skipped = request.cuts
    .filter(({ kind, endFrame }) => kind === 'skip' && endFrame >= plannedUntil)
    .reduce((sum, { endFrame, nextFrame }) => sum + nextFrame - endFrame, 0)
  return { stretches, legs, restFrames: Math.max(0, end - plannedUntil - skipped) }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
