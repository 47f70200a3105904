import type { Ledger, PlannedLeg } from '../ledger/ledger.js'
import { type EnginePlan, frameMsOf, heldMs } from './engine-plan.js'

/** How far a leg is behind its plan at least: one that is stopped falls behind with the time. */
export function lateMs(leg: PlannedLeg, pace: number, nowMs: number): number {
  if (leg.stoppedFrame === null) return leg.behindMs
  const dueMs = leg.startMs + leg.stoppedFrame * frameMsOf(pace)
  return Math.max(leg.behindMs, nowMs - dueMs)
}

/** When a lease is released at the latest, by its plan and by what is known of its sender. */
export function releaseMs(plan: EnginePlan, leg: PlannedLeg, pace: number, nowMs: number): number {
  return leg.startMs + lateMs(leg, pace, nowMs) + heldMs(plan, leg.frames, pace)
}

/** A lease that is still held after its planned end counts at its peak until it is closed. */
export function isOverdue(plan: EnginePlan, leg: PlannedLeg, pace: number, nowMs: number): boolean {
  return leg.open && nowMs >= releaseMs(plan, leg, pace, nowMs)
}

/** Whether somebody may be where no plan has him: then no new block is taken without asking. */
export function hasLateLeases(plan: EnginePlan, ledger: Ledger, nowMs: number): boolean {
  return ledger.chains.some((chain) =>
    chain.legs.some((leg) => {
      const isLate = leg.behindMs > 0 || leg.stoppedFrame !== null
      return leg.open && (isLate || isOverdue(plan, leg, chain.pace, nowMs))
    }),
  )
}
