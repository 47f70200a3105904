import type { Ledger } from '../ledger/ledger.js'
import { laneLoadWith, lanesRunning } from '../ledger/ledger-changes.js'
import type { LedgerClient } from '../ledger/ledger-client.js'
import { FILL_SHARE } from '../legs/cut-search.js'
import { type EnginePlan, legFramesFor, withMore } from '../load/engine-plan.js'

/** Most lanes that are counted as room: no round admits more. */
const ROOM_MAX = 1_024

/** Lanes that an engine could take beside those that it runs, on average. */
export function roomOf(client: LedgerClient, part: { live: boolean }): number {
  const { plan, ledger } = partNow(client, part)
  const laneLoad = laneLoadWith(ledger, [])
  const byLimit = Math.max(0, plan.limits.lanes - laneLoad.lanes)
  if (plan.policy === 'fixed') return Math.min(ROOM_MAX, byLimit)
  // Under these policies there are no averages: one more lane asks, and gets an exact answer.
  if (plan.policy !== 'elastic') return Math.min(1, byLimit)
  let low = 0
  let high = Math.min(ROOM_MAX, byLimit)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (legFramesFor(plan, withMore(laneLoad, middle), FILL_SHARE) === null) high = middle - 1
    else low = middle
  }
  return low
}

/** Whether an engine runs fewer lanes than it may. */
export function hasLane(client: LedgerClient, part: { live: boolean }): boolean {
  const { plan, ledger } = partNow(client, part)
  return lanesRunning(ledger) < plan.limits.lanes
}

/** Length of legs, in frames, with `more` lanes on the engine; 0 where they don't fit. */
export function legFramesWith(client: LedgerClient, more: number, part: { live: boolean }): number {
  const { plan, ledger } = partNow(client, part)
  return legFramesFor(plan, withMore(laneLoadWith(ledger, []), more), FILL_SHARE) ?? 0
}

/** Lanes for each KV block: lower on an emptier engine, also where engines differ in size. */
export function shareUsed(client: LedgerClient, part: { live: boolean }): number {
  const { plan, ledger } = partNow(client, part)
  return lanesRunning(ledger) / Math.max(1, plan.limits.kvBlocks)
}

/** The part of an engine for recordings or for live sessions, as last read. */
function partNow(
  client: LedgerClient,
  part: { live: boolean },
): { plan: EnginePlan; ledger: Ledger } {
  const plan = client.planOf(client.ledger, client.nowMs(), part)
  return { plan, ledger: client.ledgerOf(client.ledger, part) }
}
