import type { Ledger } from '../ledger/ledger.js'
import { leasesOf } from '../ledger/ledger-changes.js'
import type { EnginePlan } from './engine-plan.js'
import { releaseMs } from './lease-times.js'
import { loadOf } from './ledger-load.js'
import type { LoadProfile } from './load-profile.js'

/** Cells of the check of what is held: fine where leases are short, never many. */
const CELL_MS_MIN = 250
const CELLS_MAX = 1_200
/** What sums of fractions may be off by. */
const ROUNDING = 1e-6

/**
 * Whether everything that is held stays within the engine until all of it is released: the promise
 * that is never broken. Legs that are only planned don't count. Pure.
 */
export function heldFits(plan: EnginePlan, ledger: Ledger, nowMs: number): boolean {
  if (plan.policy === 'fixed') return true
  let lastMs = nowMs
  for (const { chain, leg } of leasesOf(ledger)) {
    lastMs = Math.max(lastMs, releaseMs(plan, leg, chain.pace, nowMs))
  }
  const horizonMs = lastMs - nowMs + CELL_MS_MIN
  const cellMs = Math.max(CELL_MS_MIN, horizonMs / CELLS_MAX)
  return staysWithin(plan, loadOf(plan, ledger, { nowMs, horizonMs, cellMs, openOnly: true }))
}

/** Whether no cell of a load goes beyond what the engine can carry. */
export function staysWithin(plan: EnginePlan, load: LoadProfile): boolean {
  const { kvBlocks, sessions, stepMs } = plan.limits
  for (let cell = 0; cell < load.cells; cell += 1) {
    if ((load.blocks[cell] as number) > kvBlocks + ROUNDING) return false
    if ((load.sessions[cell] as number) > sessions) return false
    if (plan.stepModel !== null && (load.stepMs[cell] as number) > stepMs + ROUNDING) return false
  }
  return true
}
