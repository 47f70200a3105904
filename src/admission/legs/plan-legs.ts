import type { Chain, Ledger, PlannedLeg } from '../ledger/ledger.js'
import { laneLoadWith, withChain } from '../ledger/ledger-changes.js'
import {
  type EnginePlan,
  frameMsOf,
  heldMs,
  type LaneLoad,
  legFramesFor,
  meanBlocks,
  meanStepMs,
  withMore,
} from '../load/engine-plan.js'
import { leasesFit, staysWithin } from '../load/leases-fit.js'
import { addLease, loadOf, restStartMs } from '../load/ledger-load.js'
import type { CutOption } from './cut-option.js'
import { FILL_SHARE, type LaneTask, legPrice, searchCuts } from './cut-search.js'
import type { PlannedSegment } from './planned-segment.js'

/** Lanes publish the cuts of so much time ahead; what comes later counts on average. */
export const PUBLISH_MS = 600_000
/** At least so many legs of the common length are looked ahead. */
const LEGS_AHEAD = 4
const PUBLISH_MIN_MS = 120_000
/** Cells of a plan: fine enough for short legs, few enough to be searched in a millisecond. */
const SLOTS_MAX = 800
const SLOT_MS_MIN = 250
const CELL_MS_MAX = 60_000
/** A leg's end is chosen that finely. */
const CUTS_PER_LEG = 24
/** Policies that know every leg to its end look at all of it, in more cells. */
const KNOWN_CELLS_MAX = 8_192

/** A lane as it asks for its next legs. */
export interface LaneRequest {
  readonly chainId: string
  readonly pace: number
  /** The leg that runs, its start as late as it is; or the one to be opened. */
  readonly first: LaneTask['first']
  /** See `LaneTask`. */
  readonly earliestEndFrame: number
  readonly cuts: readonly CutOption[]
  /** Index of the first leg in its chain. */
  readonly firstIndex: number
  /** The first leg as it stands in the ledger; null when it is to be opened. */
  readonly running: PlannedLeg | null
  /** Older legs of the same lane that hold their sessions still; they count beside it. */
  readonly held: readonly PlannedLeg[]
}

/** The next legs of a lane. */
export interface LegPlan {
  readonly segments: readonly PlannedSegment[]
  readonly legs: readonly PlannedLeg[]
  readonly restFrames: number
  /** Whether all of it stays within the engine's limits together with what others planned. */
  readonly fits: boolean
}

/** The legs of a plan, each with its stretch of the lane. */
export function legsOf({
  legs,
  segments,
}: LegPlan): { leg: PlannedLeg; segment: PlannedSegment }[] {
  return legs.map((leg, at) => ({ leg, segment: segments[at] as PlannedSegment }))
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
  const laneLoad = withMore(laneLoadWith(rest, [request.pace]), context.waitingLanes)
  const legFrames = legFramesFor(plan, laneLoad, FILL_SHARE) ?? plan.floorFrames
  if (request.pace === 0) {
    // Its blocks are taken at once, so there is no curve to fit: equal legs, and see.
    return planUnpaced(plan, rest, request, { nowMs: context.nowMs, legFrames })
  }
  return planElastic(plan, rest, request, { ...context, laneLoad, legFrames })
}

/** Legs as long as all lanes together may have, cut where they fit best. */
function planElastic(
  plan: EnginePlan,
  rest: Ledger,
  request: LaneRequest,
  context: { nowMs: number; waitingLanes: number; laneLoad: LaneLoad; legFrames: number },
): LegPlan {
  const { nowMs, waitingLanes, laneLoad, legFrames } = context
  const legMs = legFrames * frameMsOf(laneLoad.pace)
  const publishMs = Math.min(PUBLISH_MS, Math.max(PUBLISH_MIN_MS, LEGS_AHEAD * legMs))
  const horizonMs = Math.min(publishMs + legMs, laneEndMs(plan, request) - nowMs)
  const slotMs = clamp(horizonMs / SLOTS_MAX, SLOT_MS_MIN, CELL_MS_MAX)
  const load = loadOf(plan, rest, { nowMs, horizonMs, slotMs, restLegFrames: legFrames })
  for (const leg of request.held) addLease(plan, load, { leg, pace: request.pace }, nowMs)
  const hasBegun = request.running !== null || request.held.length > 0
  // Room for those who wait is made by planning as if they were here.
  const comingLanes = hasBegun ? waitingLanes : 0
  const coming = {
    blocks: comingLanes * meanBlocks(plan, legFrames, laneLoad.pace),
    stepMs: comingLanes * meanStepMs(plan, legFrames, laneLoad.pace),
  }
  const price = legPrice(plan, legFrames, laneLoad, slotMs)
  const firmUntilMs = nowMs + publishMs
  const { ceilingFrames } = plan
  const cuts = cutsWithin(request, { untilMs: nowMs + horizonMs, ceilingFrames, legFrames })
  const { segments, fits } = searchCuts(
    plan,
    load,
    { ...request, cuts, coming, firmUntilMs },
    price,
  )
  const published = segments.filter((each, at) => at === 0 || each.startMs < firmUntilMs)
  const found = { ...asLegs(request, published), fits }
  // Who waits to be let in waits on; a lane that is under way must find a way to its end.
  if (fits || hasBegun || request.firstIndex === 0) return found
  return holdsAlone(plan, rest, found, request, nowMs)
    ? found
    : (loneLeg(plan, rest, request, nowMs) ?? found)
}

/** Whether the first leg of a plan would fit beside what is held, whatever comes after it. */
function holdsAlone(
  plan: EnginePlan,
  rest: Ledger,
  legPlan: Omit<LegPlan, 'fits'>,
  request: LaneRequest,
  nowMs: number,
): boolean {
  return leasesFit(plan, withChain(rest, chainOf(request, legPlan)), nowMs)
}

/**
 * One leg for a lane with none, where no whole way fits: the leg after it can't be opened beside
 * it, and waits until it has ended. As long as the floor, or shorter where only that fits; null
 * where nothing does.
 */
function loneLeg(
  plan: EnginePlan,
  rest: Ledger,
  request: LaneRequest,
  nowMs: number,
): LegPlan | null {
  const { first } = request
  // Of a cut with an overlap the leg after it hears the end, too: that one leads nowhere.
  const cuts = request.cuts.filter(({ nextFrame }) => nextFrame > first.fromFrame)
  const enough = cuts.findIndex((cut) => {
    return !mayGo(cut) || cut.endFrame - first.fromFrame >= plan.floorFrames
  })
  for (let at = enough; at >= 0; at -= 1) {
    const { endFrame, kind } = cuts[at] as CutOption
    const legPlan = asLegs(request, [{ ...first, endFrame, cut: kind }])
    if (holdsAlone(plan, rest, legPlan, request, nowMs)) return { ...legPlan, fits: false }
  }
  return null
}

/** When the last leg of a lane is released, if it never waits. */
function laneEndMs(plan: EnginePlan, { first, cuts, pace }: LaneRequest): number {
  let frames = (cuts.at(-1)?.endFrame ?? first.fromFrame) - first.fromFrame
  for (const { kind, endFrame, nextFrame } of cuts) {
    if (kind === 'skip' && endFrame > first.fromFrame) frames -= nextFrame - endFrame
  }
  return first.startMs + heldMs(plan, frames, pace)
}

/** Equal legs; shorter ones where two of them don't fit beside each other. */
function planUnpaced(
  plan: EnginePlan,
  rest: Ledger,
  request: LaneRequest,
  { nowMs, legFrames }: { nowMs: number; legFrames: number },
): LegPlan {
  const legPlan = planKnown({ ...plan, ceilingFrames: legFrames }, rest, request, nowMs)
  if (legPlan.fits || legFrames <= plan.floorFrames) return legPlan
  const shorter = Math.max(plan.floorFrames, Math.floor(legFrames / 2))
  return planUnpaced(plan, rest, request, { nowMs, legFrames: shorter })
}

/** The policies without a choice: legs as long as the ceiling allows, known to the end. */
function planKnown(plan: EnginePlan, rest: Ledger, request: LaneRequest, nowMs: number): LegPlan {
  const segments = longestLegs(plan, request)
  const legPlan = asLegs(request, segments)
  if (plan.policy === 'fixed') return { ...legPlan, fits: true }
  const legs = [...request.held, ...legPlan.legs]
  const chain = chainOf(request, { ...legPlan, legs })
  const joint = { ...rest, chains: [...rest.chains, chain] }
  const horizonMs = Math.max(...joint.chains.map((each) => endMs(each, nowMs))) - nowMs + 10_000
  const slotMs = clamp(horizonMs / KNOWN_CELLS_MAX, SLOT_MS_MIN, CELL_MS_MAX)
  return { ...legPlan, fits: staysWithin(plan, loadOf(plan, joint, { nowMs, horizonMs, slotMs })) }
}

/** A chain as it would stand in the ledger with these legs. */
function chainOf(request: LaneRequest, legPlan: Pick<LegPlan, 'legs' | 'restFrames'>): Chain {
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

function endMs(chain: Chain, nowMs: number): number {
  return restStartMs(chain, nowMs) + chain.restFrames * frameMsOf(chain.pace)
}

function longestLegs(plan: EnginePlan, request: LaneRequest): PlannedSegment[] {
  const { cuts, pace } = request
  const frameMs = frameMsOf(pace)
  const segments: PlannedSegment[] = []
  let { fromFrame, startMs, openMs } = request.first
  for (let at = 0; at < cuts.length; ) {
    const chosen = longestCut(plan, request, { fromFrame, at, isFirst: segments.length === 0 })
    const { endFrame, nextFrame, kind } = cuts[chosen] as CutOption
    segments.push({ fromFrame, endFrame, cut: kind, openMs, startMs })
    const sentFrames = (kind === 'skip' ? endFrame : nextFrame) - fromFrame
    startMs += sentFrames * frameMs
    openMs = startMs - plan.openAheadMs
    fromFrame = nextFrame
    at = chosen + 1
  }
  return segments
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
    const mustEnd = kind === 'end' || kind === 'skip'
    const isSent = from.isFirst && endFrame < earliestEndFrame && !mustEnd
    if (frames <= 0 || isSent) continue
    if (frames > plan.ceilingFrames && best >= 0) break
    if (mustEnd) return at
    if (frames < plan.floorFrames) continue
    const isBetter = best < 0 || kind === 'pause' || (cuts[best] as CutOption).kind === 'quiet'
    if (isBetter && Number.isFinite(plan.ceilingFrames)) best = at
    if (frames > plan.ceilingFrames) break
  }
  return best >= 0 ? best : cuts.length - 1
}

/**
 * The cuts of a lane up to the last one that a leg may have which runs at a moment. Of those that
 * lie closer together than matters for legs of so many frames only one is left, always the same.
 */
function cutsWithin(
  request: LaneRequest,
  reach: { untilMs: number; ceilingFrames: number; legFrames: number },
): CutOption[] {
  const { cuts, first, pace } = request
  const reachMs = reach.untilMs - first.startMs
  const reachFrames = Math.ceil(reachMs / frameMsOf(pace)) + reach.ceilingFrames
  const gridFrames = Math.max(1, Math.floor(reach.legFrames / CUTS_PER_LEG))
  const within: CutOption[] = []
  let skipped = 0
  for (const cut of cuts) {
    if (cut.endFrame <= first.fromFrame) continue
    const last = within.at(-1)
    if (last && isClose(last, cut, gridFrames)) {
      if (last.kind === 'pause' || cut.kind === 'quiet') continue
      within.pop()
    }
    within.push(cut)
    if (cut.endFrame - first.fromFrame - skipped > reachFrames) break
    if (cut.kind === 'skip') skipped += cut.nextFrame - cut.endFrame
  }
  return within
}

function isClose(one: CutOption, other: CutOption, gridFrames: number): boolean {
  const isNear = Math.floor(one.endFrame / gridFrames) === Math.floor(other.endFrame / gridFrames)
  return isNear && mayGo(one) && mayGo(other)
}

function mayGo({ kind }: CutOption): boolean {
  return kind === 'pause' || kind === 'quiet'
}

function asLegs(request: LaneRequest, segments: readonly PlannedSegment[]): Omit<LegPlan, 'fits'> {
  const legs = segments.map(({ fromFrame, endFrame, openMs, startMs }, at): PlannedLeg => {
    const frames = endFrame - fromFrame
    if (at === 0 && request.running) return { ...request.running, frames }
    return {
      index: request.firstIndex + at,
      open: at === 0,
      openMs: Math.round(openMs),
      startMs: Math.round(startMs),
      frames,
      behindMs: 0,
      stoppedFrame: null,
    }
  })
  const plannedUntil = segments.at(-1)?.endFrame ?? request.first.fromFrame
  const end = request.cuts.at(-1)?.endFrame ?? plannedUntil
  const skipped = request.cuts
    .filter(({ kind, endFrame }) => kind === 'skip' && endFrame >= plannedUntil)
    .reduce((sum, { endFrame, nextFrame }) => sum + nextFrame - endFrame, 0)
  return { segments, legs, restFrames: Math.max(0, end - plannedUntil - skipped) }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
