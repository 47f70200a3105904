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

/** Lanes publish their legs for the next 10 min; later audio counts with an average load. */
export const PUBLISH_MS = 600_000
/** Legs of the common length that are published; never less than 120 s or more than 10 min. */
const LEGS_AHEAD = 4
const PUBLISH_MIN_MS = 120_000
/** Most time slots of a plan: fine enough for short legs, and searched within 1 ms. */
const SLOTS_MAX = 800
const SLOT_MS_MIN = 250
const SLOT_MS_MAX = 60_000
/** Of cuts nearer to each other than 1/24 of a leg only one is considered. */
const CUTS_PER_LEG = 24
/** Most time slots for policies that plan every leg to the end of the recording. */
const KNOWN_SLOTS_MAX = 8_192

/** The request of a lane for its next legs. */
export interface LaneRequest {
  readonly chainId: string
  readonly pace: number
  /** The running leg, its start later by its sender's lateness; or the leg to be opened. */
  readonly first: LaneTask['first']
  /**
   * No cut of the first leg may lie before this frame: audio up to here is sent, or soon will be.
   */
  readonly earliestEndFrame: number
  readonly cuts: readonly CutOption[]
  /** Index of the first leg in its chain. */
  readonly firstIndex: number
  /** The first leg's entry in the ledger; null when the leg is to be opened. */
  readonly running: PlannedLeg | null
  /** Older legs of the lane that still hold sessions; they count as load. */
  readonly held: readonly PlannedLeg[]
}

/** The next legs of a lane. */
export interface LegPlan {
  readonly segments: readonly PlannedSegment[]
  readonly legs: readonly PlannedLeg[]
  readonly restFrames: number
  /** Whether it stays within the engine's limits together with the plans of the other lanes. */
  readonly fits: boolean
}

/** The legs of a plan, each with its segment of the lane. */
export function legsOf({
  legs,
  segments,
}: LegPlan): { leg: PlannedLeg; segment: PlannedSegment }[] {
  return legs.map((leg, at) => ({ leg, segment: segments[at] as PlannedSegment }))
}

/**
 * Plans the next legs of one lane against all other chains of a ledger, by the engine's policy.
 * @param context.waitingLanes lanes that would be admitted if running lanes made room
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
    // Without a pace a leg may take all its blocks at once, so no cut is better than another.
    return planUnpaced(plan, rest, request, { nowMs: context.nowMs, legFrames })
  }
  return planElastic(plan, rest, request, { ...context, laneLoad, legFrames })
}

/** Legs about as long as all lanes together can have, with the cheapest cuts. */
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
  const slotMs = clamp(horizonMs / SLOTS_MAX, SLOT_MS_MIN, SLOT_MS_MAX)
  const load = loadOf(plan, rest, { nowMs, horizonMs, slotMs, restLegFrames: legFrames })
  for (const leg of request.held) addLease(plan, load, { leg, pace: request.pace }, nowMs)
  const hasBegun = request.running !== null || request.held.length > 0
  // Running lanes make room for waiting ones by planning as if those were admitted.
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
  // A lane that isn't admitted yet can wait; one that has begun must get on to its end.
  if (fits || hasBegun || request.firstIndex === 0) return found
  return holdsAlone(plan, rest, found, request, nowMs)
    ? found
    : (loneLeg(plan, rest, request, nowMs) ?? found)
}

/** Whether the first leg of a plan would fit beside all leases, without the legs after it. */
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
 * A single leg for a lane that holds no session, where no plan fits: the leg after it can't be
 * opened beside it, and waits until it has ended. It is as long as the floor, or shorter where only
 * that fits; null where no leg fits.
 */
function loneLeg(
  plan: EnginePlan,
  rest: Ledger,
  request: LaneRequest,
  nowMs: number,
): LegPlan | null {
  const { first } = request
  // A cut whose overlap reaches back to the first frame is left out: the next leg would begin where
  // this one did, and the lane would never get on.
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

/** When the last leg of a lane is released, if the lane never waits. */
function laneEndMs(plan: EnginePlan, { first, cuts, pace }: LaneRequest): number {
  let frames = (cuts.at(-1)?.endFrame ?? first.fromFrame) - first.fromFrame
  for (const { kind, endFrame, nextFrame } of cuts) {
    if (kind === 'skip' && endFrame > first.fromFrame) frames -= nextFrame - endFrame
  }
  return first.startMs + heldMs(plan, frames, pace)
}

/** Equal legs for a lane without a pace; halved until two of them fit beside each other. */
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

/** The policies other than `elastic`: the longest legs that the ceiling allows, to the end. */
function planKnown(plan: EnginePlan, rest: Ledger, request: LaneRequest, nowMs: number): LegPlan {
  const segments = longestLegs(plan, request)
  const legPlan = asLegs(request, segments)
  if (plan.policy === 'fixed') return { ...legPlan, fits: true }
  const legs = [...request.held, ...legPlan.legs]
  const chain = chainOf(request, { ...legPlan, legs })
  const joint = { ...rest, chains: [...rest.chains, chain] }
  const horizonMs = Math.max(...joint.chains.map((each) => endMs(each, nowMs))) - nowMs + 10_000
  const slotMs = clamp(horizonMs / KNOWN_SLOTS_MAX, SLOT_MS_MIN, SLOT_MS_MAX)
  return { ...legPlan, fits: staysWithin(plan, loadOf(plan, joint, { nowMs, horizonMs, slotMs })) }
}

/** The chain of a lane with these legs. */
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

/** The last pause before the ceiling; else the last quiet cut; else the first cut of any kind. */
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
 * The cuts of a lane up to the last possible end of a leg that runs at `reach.untilMs`. Of cuts
 * that are closer together than 1/24 of a leg only one is left, a pause if there is one.
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
