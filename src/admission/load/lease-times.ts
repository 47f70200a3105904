import type { Ledger, PlannedLeg } from '../ledger/ledger.js'
import { type EnginePlan, frameMsOf, heldMs } from './engine-plan.js'

/** How far a leg is behind its plan at least, in ms; that of a stopped sender grows with time. */
export function lateMs(leg: PlannedLeg, pace: number, nowMs: number): number {
  if (leg.stoppedFrame === null) return leg.behindMs
  const dueMs = leg.startMs + leg.stoppedFrame * frameMsOf(pace)
  return Math.max(leg.behindMs, nowMs - dueMs)
}

/** When a lease is released at the latest, by its plan and its sender's known lateness. */
export function releaseMs(plan: EnginePlan, leg: PlannedLeg, pace: number, nowMs: number): number {
  return leg.startMs + lateMs(leg, pace, nowMs) + heldMs(plan, leg.frames, pace)
}

/** Whether a lease is held beyond its planned end; until it is closed it counts at its peak. */
export function isOverdue(plan: EnginePlan, leg: PlannedLeg, pace: number, nowMs: number): boolean {
  return leg.open && nowMs >= releaseMs(plan, leg, pace, nowMs)
}

/**
 * Whether a lease of the engine is late, stopped or overdue. Plans no longer tell what it holds at
 * what time, so then no lease takes a new block without asking.
 */
export function hasLateLeases(plan: EnginePlan, ledger: Ledger, nowMs: number): boolean {
  return ledger.chains.some((chain) =>
    chain.legs.some((leg) => {
      const isLate = leg.behindMs > 0 || leg.stoppedFrame !== null
      return leg.open && (isLate || isOverdue(plan, leg, chain.pace, nowMs))
    }),
  )
}
