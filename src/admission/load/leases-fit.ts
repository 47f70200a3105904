import type { Ledger } from '../ledger/ledger.js'
import { leasesOf } from '../ledger/ledger-changes.js'
import type { EnginePlan } from './engine-plan.js'
import { releaseMs } from './lease-times.js'
import { loadOf } from './ledger-load.js'
import type { LoadProfile } from './load-profile.js'

/** Cells of the check of what is held: fine where leases are short, never many. */
const SLOT_MS_MIN = 250
const SLOTS_MAX = 1_200
/** What sums of fractions may be off by. */
const ROUNDING = 1e-6

/**
 * Whether everything that is held stays within the engine until all of it is released: the promise
 * that is never broken. Legs that are only planned don't count. Pure.
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

/** Whether no cell of a load goes beyond what the engine can carry. */
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
