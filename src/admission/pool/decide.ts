import { stepCostMs } from '../../model/step-model.js'
import type { WaitReason } from '../index.js'
import { type Chain, EMPTY_LEDGER, type Ledger } from '../ledger/ledger.js'
import { laneLoadWith, lanesRunning, withChain } from '../ledger/ledger-changes.js'
import type { CutOption } from '../legs/cut-option.js'
import { FILL_SHARE } from '../legs/cut-search.js'
import { type LaneRequest, type LegPlan, planLegs } from '../legs/plan-legs.js'
import { type EnginePlan, frameMsOf, type LaneLoad, legFramesFor } from '../load/engine-plan.js'
import { leasesFit } from '../load/leases-fit.js'
import { restStartMs } from '../load/ledger-load.js'

/** The answer to a job that asks for sessions. */
export type Decision =
  | { readonly kind: 'admit'; readonly ledger: Ledger; readonly plans: readonly LegPlan[] }
  | {
      readonly kind: 'wait'
      readonly reason: WaitReason
      /** When enough running lanes end, by their plans, in the store's time; null: not known. */
      readonly earliestMs: number | null
    }
  /** The job can never fit on this engine. */
  | { readonly kind: 'refuse'; readonly sentence: string }

/** A lane of a job that asks for admission. */
export interface CandidateLane {
  readonly chainId: string
  readonly pace: number
  readonly fromFrame: number
  readonly cuts: readonly CutOption[]
}

/** The worker that asks, for which kind of lanes, and the time. */
export interface AdmissionContext {
  readonly nowMs: number
  readonly worker: string
  readonly live: boolean
  /** Number of lanes of other waiting jobs that there would be room for. */
  readonly waitingLanes: number
}

/**
 * Whether all lanes of a job may begin now on one engine: all of them, or none. Pure: reads
 * nothing, changes nothing, and gives the ledger as it would be.
 */
export function decide(
  plan: EnginePlan,
  ledger: Ledger,
  lanes: readonly CandidateLane[],
  context: AdmissionContext,
): Decision {
  const own = uncorrected(plan, ledger)
  const impossible = neverFits(own, lanes)
  if (impossible !== null) return { kind: 'refuse', sentence: impossible }
  const { nowMs } = context
  const waits = (reason: WaitReason): Decision => {
    return { kind: 'wait', reason, earliestMs: earliestMs(ledger, lanes.length, nowMs) }
  }
  const laneLoad = laneLoadWith(
    ledger,
    lanes.map(({ pace }) => pace),
  )
  // On an empty engine the limit is no reason to wait: a job with more lanes than the knee or a
  // penalty leaves would wait for ever.
  const carried = lanesRunning(ledger)
  if (carried > 0 && carried + lanes.length > plan.limits.lanes) return waits('lanes')
  if (plan.policy !== 'fixed') {
    if (ledger.chains.some((chain) => isParked(chain))) return waits('parked')
    // Averages are for many lanes; on an empty engine `begin` tells exactly.
    const isCrowded = plan.policy === 'elastic' && carried > 0
    if (isCrowded && legFramesFor(plan, laneLoad, FILL_SHARE) === null) {
      return waits(bindingResource(plan, laneLoad))
    }
  }
  const begun = begin(plan, ledger, lanes, context)
  if (begun !== null) return { kind: 'admit', ...begun }
  // A job that wouldn't fit on an empty engine is refused: it would wait for ever.
  if (!mayFitAlone(own, ledger, lanes, context)) {
    return { kind: 'refuse', sentence: 'its legs would not fit even on an empty engine' }
  }
  return waits(bindingResource(plan, laneLoad))
}

/**
 * Whether a job would fit on the empty engine. Under the policy `elastic` lanes with a pace always
 * do, with short enough legs; for all others the whole plan is laid out.
 */
function mayFitAlone(
  plan: EnginePlan,
  ledger: Ledger,
  lanes: readonly CandidateLane[],
  context: AdmissionContext,
): boolean {
  const isTried = lanesRunning(ledger) === 0 && ledger.limit.correctionBlocks === 0
  if (isTried) return false
  const canChoose = plan.policy === 'elastic' && lanes.every(({ pace }) => pace > 0)
  return canChoose || begin(plan, EMPTY_LEDGER, lanes, context) !== null
}

/** The ledger with a lease for every lane of a job; null where they don't fit together. */
function begin(
  plan: EnginePlan,
  ledger: Ledger,
  lanes: readonly CandidateLane[],
  context: AdmissionContext,
): { ledger: Ledger; plans: readonly LegPlan[] } | null {
  const plans: LegPlan[] = []
  let after = ledger
  for (const lane of lanes) {
    const legPlan = planLegs(plan, after, firstRequest(plan, lane, context.nowMs), context)
    if (!legPlan.fits) return null
    plans.push(legPlan)
    after = withChain(after, firstChain(lane, legPlan, context))
  }
  return leasesFit(plan, after, context.nowMs) ? { ledger: after, plans } : null
}

/** Whether a chain has begun, and waits for its next leg without a session. */
export function isParked(chain: Chain): boolean {
  return chain.parkedSinceMs !== null
}

function firstRequest(plan: EnginePlan, lane: CandidateLane, nowMs: number): LaneRequest {
  const startMs = nowMs + plan.openAheadMs
  return {
    chainId: lane.chainId,
    pace: lane.pace,
    first: { openMs: nowMs, startMs, fromFrame: lane.fromFrame },
    earliestEndFrame: 0,
    cuts: lane.cuts,
    firstIndex: 0,
    running: null,
    held: [],
  }
}

function firstChain(lane: CandidateLane, legPlan: LegPlan, context: AdmissionContext): Chain {
  const { legs, restFrames } = legPlan
  const { worker, live } = context
  const { chainId: id, pace } = lane
  return { id, worker, pace, live, legs, restFrames, parkedSinceMs: null }
}

/**
 * The plan without the correction of the KV law, which changes within minutes: a job must not be
 * refused for good because of it.
 */
function uncorrected(plan: EnginePlan, ledger: Ledger): EnginePlan {
  const kvBlocks = plan.limits.kvBlocks + ledger.limit.correctionBlocks
  return { ...plan, limits: { ...plan.limits, kvBlocks } }
}

/** Why a job never fits, however empty the engine is, as a sentence; null where it may. */
function neverFits(plan: EnginePlan, lanes: readonly CandidateLane[]): string | null {
  const { limits, curve, policy, stepModel } = plan
  if (policy === 'fixed') return null
  const longest = Math.max(...lanes.map((lane) => framesOf(lane)))
  const legFrames = Math.min(
    longest,
    policy === 'elastic' ? plan.floorFrames : Math.min(plan.ceilingFrames, longest),
  )
  const blocks = lanes.length * curve.peakBlocks(legFrames)
  if (blocks > limits.kvBlocks) {
    return `it needs ${blocks} KV blocks at once, and the engine gives out ${limits.kvBlocks}`
  }
  if (lanes.length > limits.sessions) {
    return `it needs ${lanes.length} sessions at once, and the engine runs ${limits.sessions}`
  }
  if (stepModel === null) return null
  const stepMs = lanes.reduce((sum, { pace }) => {
    return sum + stepCostMs(stepModel, legFrames) * Math.max(1, pace)
  }, 0)
  if (stepMs <= limits.stepMs) return null
  return `its sessions would take ${Math.ceil(stepMs)} ms of a step, of ${limits.stepMs} ms`
}

function framesOf(lane: CandidateLane): number {
  return (lane.cuts.at(-1)?.endFrame ?? lane.fromFrame) - lane.fromFrame
}

function bindingResource(plan: EnginePlan, laneLoad: LaneLoad): WaitReason {
  const unbound = { ...plan.limits, stepMs: Number.POSITIVE_INFINITY }
  const byBlocksAlone = legFramesFor({ ...plan, limits: unbound }, laneLoad, FILL_SHARE)
  const byBoth = legFramesFor(plan, laneLoad, FILL_SHARE)
  return plan.stepModel !== null && byBoth !== byBlocksAlone ? 'step-time' : 'kv'
}

/** When this number of running lanes will have ended, by their plans; null where fewer run. */
function earliestMs(ledger: Ledger, lanes: number, nowMs: number): number | null {
  const ends = ledger.chains
    .map((chain) => restStartMs(chain, nowMs) + chain.restFrames * frameMsOf(chain.pace))
    .sort((one, other) => one - other)
  return ends[Math.min(lanes, ends.length) - 1] ?? null
}
