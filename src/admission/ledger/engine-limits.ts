import type { EnginePlan } from '../load/engine-plan.js'
import { loadOf } from '../load/ledger-load.js'
import type { Ledger } from './ledger.js'

/**
 * The plan of an engine with what has been learned about it: the compute knee, the lanes that
 * freed deadlocks took away, the blocks that the law is short of; and for batch what is kept for
 * live sessions and not in use by them.
 * @param liveBlocks kept for live sessions; 0 for a plan of a live session itself
 */
export function learnedPlan(
  plan: EnginePlan,
  ledger: Ledger,
  options: { nowMs: number; liveBlocks: number },
): EnginePlan {
  const { nowMs, liveBlocks } = options
  const { knee, penalties, correctionBlocks } = ledger.limit
  const inForce = penalties.filter(({ untilMs }) => untilMs > nowMs).map(({ lanes }) => lanes)
  const lanes = Math.min(plan.limits.lanes, knee ?? Number.POSITIVE_INFINITY, ...inForce)
  const kept = liveBlocks === 0 ? 0 : Math.max(0, liveBlocks - liveLoad(plan, ledger, nowMs))
  const kvBlocks = Math.max(0, plan.limits.kvBlocks - correctionBlocks - kept)
  return { ...plan, limits: { ...plan.limits, kvBlocks, lanes } }
}

function liveLoad(plan: EnginePlan, ledger: Ledger, nowMs: number): number {
  const live = { ...ledger, chains: ledger.chains.filter((chain) => chain.live) }
  if (live.chains.length === 0) return 0
  return loadOf(plan, live, { nowMs, horizonMs: 1, slotMs: 1 }).blocks[0] ?? 0
}
