import { changeOverPeak } from '../load/chain-peak.js'
import type { EngineLimits, EnginePlan } from '../load/engine-plan.js'
import type { Ledger } from './ledger.js'

/**
 * The plan of an engine with what its ledger has learned: the compute knee, the lanes that
 * evictions took away for a while, and the KV blocks that the law is short of.
 */
export function learnedPlan(
  plan: EnginePlan,
  ledger: Ledger,
  { nowMs }: { nowMs: number },
): EnginePlan {
  const { knee, penalties, correctionBlocks } = ledger.limit
  const inForce = penalties.filter(({ untilMs }) => untilMs > nowMs).map(({ lanes }) => lanes)
  const lanes = Math.min(plan.limits.lanes, knee ?? Number.POSITIVE_INFINITY, ...inForce)
  const kvBlocks = Math.max(0, plan.limits.kvBlocks - correctionBlocks)
  return { ...plan, limits: { ...plan.limits, kvBlocks, lanes } }
}

/** A live leg may be 1.5 times as long as the shortest leg, so that a cut is found. */
const LIVE_LEG_SPAN = 1.5
/** Where legs have no ceiling, a live one is no longer than two hours of audio. */
const LIVE_LEG_FRAMES_MAX = 90_000

/**
 * The part of an engine that recordings may use, or live sessions: two parts that never borrow from
 * each other. A live session thus finds its part free however many recordings wait, and what a
 * recording has leased never has to make room for one.
 *
 * @param options.liveShare 0 to 1, of everything that the engine has; 0: one part for both kinds
 */
export function planOfPart(
  plan: EnginePlan,
  learned: EnginePlan,
  options: { liveShare: number; live: boolean },
): EnginePlan {
  const { liveShare, live } = options
  if (liveShare === 0) return learned
  const forLive = liveLimits(plan.limits, liveShare)
  const most = learned.limits
  if (!live) {
    const limits = {
      kvBlocks: withoutPart(most.kvBlocks, forLive.kvBlocks),
      stepMs: withoutPart(most.stepMs, forLive.stepMs),
      sessions: withoutPart(most.sessions, forLive.sessions),
      lanes: withoutPart(most.lanes, forLive.lanes),
    }
    return { ...learned, limits }
  }
  return seated({
    ...learned,
    limits: {
      kvBlocks: Math.min(most.kvBlocks, forLive.kvBlocks),
      stepMs: Math.min(most.stepMs, forLive.stepMs),
      sessions: Math.min(most.sessions, forLive.sessions),
      lanes: Math.min(most.lanes, forLive.lanes),
    },
  })
}

/**
 * As many lanes as fit at their peaks, all at one moment, and legs no longer than that allows: a
 * live session that finds a lane free is admitted at once, whatever the others are about.
 */
function seated(plan: EnginePlan): EnginePlan {
  const { limits, policy, floorFrames, ceilingFrames } = plan
  if (policy !== 'elastic') return plan
  const shortest = Math.min(ceilingFrames, Math.ceil(floorFrames * LIVE_LEG_SPAN))
  const seatsWith = (frames: number) => {
    const { blocks, stepMs, sessions } = changeOverPeak(plan, { frames, pace: 1 })
    const byStepMs = stepMs === 0 ? Number.POSITIVE_INFINITY : Math.floor(limits.stepMs / stepMs)
    const byBlocks = Math.floor(limits.kvBlocks / blocks)
    return Math.min(limits.lanes, byBlocks, byStepMs, Math.floor(limits.sessions / sessions))
  }
  const lanes = seatsWith(shortest)
  let low = shortest
  let high = Math.min(ceilingFrames, LIVE_LEG_FRAMES_MAX)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (seatsWith(middle) >= lanes) low = middle
    else high = middle - 1
  }
  return { ...plan, limits: { ...limits, lanes }, ceilingFrames: low }
}

function liveLimits(limits: EngineLimits, share: number): EngineLimits {
  const { kvBlocks, stepMs, sessions, lanes } = limits
  // Recordings keep at least one session and one lane, however large the live share is.
  const ones = (count: number) => Math.min(Math.max(0, count - 1), Math.ceil(count * share))
  return {
    kvBlocks: Math.floor(kvBlocks * share),
    stepMs: stepMs * share,
    sessions: ones(sessions),
    lanes: ones(lanes),
  }
}

/** What has no limit has none in either part. */
function withoutPart(most: number, part: number): number {
  return Number.isFinite(part) ? Math.max(0, most - part) : most
}

/** The ledger with the chains of one part alone. */
export function ledgerOfPart(
  ledger: Ledger,
  { liveShare, live }: { liveShare: number; live: boolean },
): Ledger {
  if (liveShare === 0) return ledger
  return { ...ledger, chains: ledger.chains.filter((chain) => chain.live === live) }
}
