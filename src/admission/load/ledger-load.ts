import type { Chain, Ledger, PlannedLeg } from '../ledger/ledger.js'
import { chainPeak } from './chain-peak.js'
import { type EnginePlan, frameMsOf, heldMs, meanBlocks, meanStepMs } from './engine-plan.js'
import { isOverdue, lateMs } from './lease-times.js'
import { LoadProfile } from './load-profile.js'

/** Which legs of a ledger are summed. */
export interface LoadScope {
  nowMs: number
  horizonMs: number
  slotMs: number
  /** Sums leases only, without legs that are only planned. */
  openOnly?: boolean
  /** Length in frames that audio without planned legs is counted with, as an average load. */
  restLegFrames?: number
}

/** The load that the chains of a ledger put on their engine from now on. */
export function loadOf(plan: EnginePlan, ledger: Ledger, scope: LoadScope): LoadProfile {
  const { nowMs, horizonMs, slotMs } = scope
  const profile = new LoadProfile(plan, { originMs: nowMs, horizonMs, slotMs })
  for (const chain of ledger.chains) {
    if (plan.policy === 'reserve') addReserved(plan, profile, chain, scope)
    else addChain(plan, profile, chain, scope)
  }
  return profile
}

function addChain(plan: EnginePlan, profile: LoadProfile, chain: Chain, scope: LoadScope): void {
  const { nowMs } = scope
  for (const leg of chain.legs) {
    if (leg.open) {
      addLease(plan, profile, { leg, pace: chain.pace }, nowMs)
    } else if (scope.openOnly !== true) {
      // A planned leg whose time of opening has passed is counted as if it opened now.
      const lateToOpenMs = Math.max(0, nowMs - leg.openMs)
      const startMs = leg.startMs + lateToOpenMs
      const times = { openMs: leg.openMs + lateToOpenMs, startMs, frames: leg.frames }
      profile.addLeg(times, chain.pace, { overdue: false })
    }
  }
  if (scope.restLegFrames === undefined || chain.restFrames === 0) return
  const frames = Math.min(scope.restLegFrames, Math.max(1, chain.restFrames))
  const fromMs = restStartMs(chain, nowMs)
  const toMs = fromMs + chain.restFrames * frameMsOf(chain.pace)
  const blocks = meanBlocks(plan, frames, chain.pace)
  const stepMs = meanStepMs(plan, frames, chain.pace)
  profile.addLevel({ blocks, stepMs, sessions: 0 }, { fromMs, toMs })
}

/** Adds a lease, later than its plan by as much as its sender is known to be late. */
export function addLease(
  plan: EnginePlan,
  profile: LoadProfile,
  lease: { leg: PlannedLeg; pace: number },
  nowMs: number,
): void {
  const { leg, pace } = lease
  const startMs = leg.startMs + lateMs(leg, pace, nowMs)
  const overdue = isOverdue(plan, leg, pace, nowMs)
  profile.addLeg({ openMs: leg.openMs, startMs, frames: leg.frames }, pace, { overdue })
}

/** When the audio of a chain begins that has no planned leg yet. */
export function restStartMs(chain: Chain, nowMs: number): number {
  const last = chain.legs.at(-1)
  if (last === undefined) return nowMs
  const startMs = last.startMs + lateMs(last, chain.pace, nowMs)
  return Math.max(nowMs, startMs + last.frames * frameMsOf(chain.pace))
}

/** Adds a chain by the policy `reserve`: its peak, at every moment from now to its end. */
function addReserved(plan: EnginePlan, profile: LoadProfile, chain: Chain, scope: LoadScope): void {
  const { nowMs, openOnly } = scope
  // A parked chain holds no session.
  if (openOnly && !chain.legs.some(({ open }) => open)) return
  const restMs = chain.restFrames * frameMsOf(chain.pace)
  const endMs = restStartMs(chain, nowMs) + restMs + heldMs(plan, 0, chain.pace)
  const overdue = chain.legs.some((leg) => isOverdue(plan, leg, chain.pace, nowMs))
  const toMs = overdue ? Number.POSITIVE_INFINITY : endMs
  profile.addLevel(chainPeak(plan, chain, nowMs), { fromMs: nowMs, toMs })
}
