import type { Ledger } from '../ledger/ledger.js'
import { leasesOf } from '../ledger/ledger-changes.js'
import type { EnginePlan } from './engine-plan.js'
import { releaseMs } from './lease-times.js'
import { loadOf } from './ledger-load.js'
import type { LoadProfile } from './load-profile.js'

/** Time slots of the check: 250 ms each, or longer so that there are at most 1,200. */
const SLOT_MS_MIN = 250
const SLOTS_MAX = 1_200
/** Tolerance for the rounding of sums of fractions. */
const ROUNDING = 1e-6

/**
 * Whether all leases together stay within the limits of the engine at every moment until the last
 * one is released. No write of a ledger may make this false. Legs that are only planned don't
 * count. Pure.
 */
export function leasesFit(plan: EnginePlan, ledger: Ledger, nowMs: number): boolean {
  if (plan.policy === 'fixed') return true
  let lastMs = nowMs
  for (const { chain, leg } of leasesOf(ledger)) {
    lastMs = Math.max(lastMs, releaseMs(plan, leg, chain.pace, nowMs))
  }
  const horizonMs = lastMs - nowMs + SLOT_MS_MIN
  const slotMs = Math.max(SLOT_MS_MIN, horizonMs / SLOTS_MAX)
  return staysWithin(plan, loadOf(plan, ledger, { nowMs, horizonMs, slotMs, openOnly: true }))
}

/** Whether a load stays within the engine's limits in every time slot. */
export function staysWithin(plan: EnginePlan, load: LoadProfile): boolean {
  const { kvBlocks, sessions, stepMs } = plan.limits
  const { slots, blocks: blocksAt, sessions: sessionsAt, stepMs: stepMsAt } = load
  const hasSteps = plan.stepModel !== null
  for (let slot = 0; slot < slots; slot += 1) {
    if ((blocksAt[slot] as number) > kvBlocks + ROUNDING) return false
    if ((sessionsAt[slot] as number) > sessions) return false
    if (hasSteps && (stepMsAt[slot] as number) > stepMs + ROUNDING) return false
  }
  return true
}
