import type { LaneRequest } from '../legs/plan-legs.js'
import { type EnginePlan, frameMsOf } from '../load/engine-plan.js'
import { lateMs } from '../load/lease-times.js'
import { FIX_AHEAD_MS } from './change-over-wait.js'
import type { LegLease } from './leg-lease.js'

/** The frame that is on its way, and the one at which the sender can be stopped. */
const UNSENT_FRAMES = 2

/**
 * A lane that asks for better cuts while a leg of it runs: what was sent, or will be before the
 * ledger has answered, stays where it is.
 * @param at.clockMs this process's monotonic clock; `nowMs` is the store's
 */
export function runningRequest(
  lane: Omit<LaneRequest, 'first' | 'running'>,
  running: LegLease,
  at: { plan: EnginePlan; nowMs: number; clockMs: number },
): LaneRequest {
  const { entry, fromFrame } = running
  const heardMs = at.clockMs - running.dueMs(fromFrame)
  const fixedMs = Math.max(0, heardMs) + at.plan.openAheadMs + FIX_AHEAD_MS
  // Without a pace the sender may be further than its clock tells.
  const firstFree = fromFrame + running.sentFrames + UNSENT_FRAMES
  const startMs = entry.startMs + lateMs(entry, lane.pace, at.nowMs)
  return {
    ...lane,
    first: { openMs: entry.openMs, startMs, fromFrame },
    earliestEndFrame: Math.max(firstFree, fromFrame + Math.ceil(fixedMs / frameMsOf(lane.pace))),
    firstIndex: running.index,
    running: entry,
  }
}
