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
  /** Leases only: what is held, and not what is merely planned. */
  openOnly?: boolean
  /** Length of the legs that are not planned yet, for the average that they count with. */
  restLegFrames?: number
}

/** What the chains of a ledger ask of their engine from now on. */
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
      // What is late to open can't open earlier than now.
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

/** Adds a leg that holds a session: where its sender truly is, as far as it has told. */
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

/** When the audio begins that no leg is planned for yet. */
export function restStartMs(chain: Chain, nowMs: number): number {
  const last = chain.legs.at(-1)
  if (last === undefined) return nowMs
  const startMs = last.startMs + lateMs(last, chain.pace, nowMs)
  return Math.max(nowMs, startMs + last.frames * frameMsOf(chain.pace))
}

/** The policy `reserve`: the most that a chain will ever hold, from its first moment to its end. */
function addReserved(plan: EnginePlan, profile: LoadProfile, chain: Chain, scope: LoadScope): void {
  const { nowMs, openOnly } = scope
  // Who waits for a session holds nothing.
  if (openOnly && !chain.legs.some(({ open }) => open)) return
  const restMs = chain.restFrames * frameMsOf(chain.pace)
  const endMs = restStartMs(chain, nowMs) + restMs + heldMs(plan, 0, chain.pace)
  const overdue = chain.legs.some((leg) => isOverdue(plan, leg, chain.pace, nowMs))
  const toMs = overdue ? Number.POSITIVE_INFINITY : endMs
  profile.addLevel(chainPeak(plan, chain, nowMs), { fromMs: nowMs, toMs })
}
