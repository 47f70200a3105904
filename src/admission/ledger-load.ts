import { type EnginePlan, frameMsOf, heldMs, meanBlocks, meanStepMs } from './engine-plan.js'
import type { Chain, Ledger, PlannedLeg } from './ledger.js'
import { LoadProfile } from './load-profile.js'

/** Which legs of a ledger are summed. */
export interface LoadScope {
  nowMs: number
  horizonMs: number
  cellMs: number
  /** This chain is left out. */
  except?: string | null
  /** Leases only: what is held, and not what is merely planned. */
  openOnly?: boolean
  /** Length of the legs that are not planned yet, for the average that they count with. */
  restLegFrames?: number
}

/** When a lease is released at the latest, by its plan. */
export function releaseMs(plan: EnginePlan, leg: PlannedLeg, pace: number): number {
  return leg.startMs + leg.behindMs + heldMs(plan, leg.frames, pace)
}

/** A lease that is still held after its planned end counts at its peak until it is closed. */
export function isOverdue(plan: EnginePlan, leg: PlannedLeg, pace: number, nowMs: number): boolean {
  return leg.open && nowMs >= releaseMs(plan, leg, pace)
}

/** Whether somebody may be where no plan has him: then no new block is taken without asking. */
export function isUneasy(plan: EnginePlan, ledger: Ledger, nowMs: number): boolean {
  return ledger.chains.some((chain) =>
    chain.legs.some(
      (leg) => leg.open && (leg.behindMs > 0 || isOverdue(plan, leg, chain.pace, nowMs)),
    ),
  )
}

/** What the chains of a ledger ask of their engine from now on. */
export function loadOf(plan: EnginePlan, ledger: Ledger, scope: LoadScope): LoadProfile {
  const { nowMs, horizonMs, cellMs } = scope
  const profile = new LoadProfile(plan, { originMs: nowMs, horizonMs, cellMs })
  for (const chain of ledger.chains) {
    if (chain.id === scope.except) continue
    if (plan.policy === 'reserve') addReserved(plan, profile, chain, nowMs)
    else addChain(plan, profile, chain, scope)
  }
  return profile
}

function addChain(plan: EnginePlan, profile: LoadProfile, chain: Chain, scope: LoadScope): void {
  const { nowMs } = scope
  for (const leg of chain.legs) {
    if (leg.open) {
      const overdue = isOverdue(plan, leg, chain.pace, nowMs)
      profile.addLeg(leg, chain.pace, { overdue })
    } else if (scope.openOnly !== true) {
      // What is late to open can't open earlier than now.
      const lateMs = Math.max(0, nowMs - leg.openMs)
      const times = { ...leg, openMs: leg.openMs + lateMs, startMs: leg.startMs + lateMs }
      profile.addLeg(times, chain.pace, { overdue: false })
    }
  }
  if (scope.restLegFrames === undefined || chain.restFrames === 0) return
  const frames = Math.min(scope.restLegFrames, Math.max(1, chain.restFrames))
  const fromMs = restStartMs(chain, nowMs)
  const toMs = fromMs + chain.restFrames * frameMsOf(chain.pace)
  const blocks = meanBlocks(plan, frames, chain.pace)
  profile.addMean({ blocks, stepMs: meanStepMs(plan, frames, chain.pace) }, { fromMs, toMs })
}

/** When the audio begins that no leg is planned for yet. */
export function restStartMs(chain: Chain, nowMs: number): number {
  const last = chain.legs.at(-1)
  if (last === undefined) return nowMs
  return Math.max(nowMs, last.startMs + last.behindMs + last.frames * frameMsOf(chain.pace))
}

/** The policy `reserve`: the most that a chain will ever hold, from its first moment to its end. */
function addReserved(plan: EnginePlan, profile: LoadProfile, chain: Chain, nowMs: number): void {
  const { curve, ceilingFrames, stepModel } = plan
  const restMs = chain.restFrames * frameMsOf(chain.pace)
  const endMs = restStartMs(chain, nowMs) + restMs + heldMs(plan, 0, chain.pace)
  const overdue = chain.legs.some((leg) => isOverdue(plan, leg, chain.pace, nowMs))
  const longest = Math.max(0, ...chain.legs.map((leg) => leg.frames))
  const frames = Math.max(longest, Math.min(ceilingFrames, chain.restFrames))
  const rotates = chain.legs.length > 1 || chain.restFrames > 0
  // At a change-over the old session is at its peak and the new one has begun.
  const changeMs = plan.openAheadMs + heldMs(plan, 0, chain.pace)
  const young = Math.ceil(changeMs / frameMsOf(chain.pace))
  const blocks = curve.peakBlocks(frames) + (rotates ? curve.blocksAfter(young) : 0)
  const perSessionMs = stepModel?.perSessionMs ?? 0
  const ageMs = (stepModel?.perFrameMs ?? 0) * (frames + young)
  const stepMs = perSessionMs * (rotates ? 2 : 1) + ageMs
  const toMs = overdue ? Number.POSITIVE_INFINITY : endMs
  profile.addMean({ blocks, stepMs }, { fromMs: nowMs, toMs })
}
