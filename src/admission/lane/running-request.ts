import type { LaneRequest } from '../legs/plan-legs.js'
import { type EnginePlan, frameMsOf } from '../load/engine-plan.js'
import { lateMs } from '../load/lease-times.js'
import { FIX_AHEAD_MS } from './change-over-wait.js'
import type { LegLease } from './leg-lease.js'

/**
 * Frames after the sent ones that can't be cut: one is being sent, at the next the sender stops.
 */
const UNSENT_FRAMES = 2

/**
 * The request of a lane for better cuts while a leg of it runs. Its earliest cut lies behind the
 * audio that was sent, or that will be sent before the ledger has answered.
 * @param at.clockMs this process's monotonic clock; `nowMs` is the store's
 */
export function runningRequest(
  lane: Omit<LaneRequest, 'first' | 'running'>,
  running: LegLease,
  at: { plan: EnginePlan; nowMs: number; clockMs: number },
): LaneRequest {
  const { entry, fromFrame } = running
  const sentMs = at.clockMs - running.dueMs(fromFrame)
  const fixedMs = Math.max(0, sentMs) + at.plan.openAheadMs + FIX_AHEAD_MS
  // A sender without a pace may have sent more than the clock tells.
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
