import { type EnginePlan, frameMsOf } from '../load/engine-plan.js'
import { lateMs } from '../load/lease-times.js'
import type { Ledger, PlannedLeg } from './ledger.js'
import { leasesOf } from './ledger-changes.js'

/** One lease that wants to send a frame which takes a new block. */
export interface BlockRequest {
  readonly chainId: string
  readonly index: number
  /** 0-based, in the leg. */
  readonly frame: number
}

/**
 * Whether one lease may go on although the plans of all together don't fit any more, because
 * somebody is late. Times say nothing then; only where everybody is, and what each may still want.
 * It may when the sessions could still be carried to their ends one after the other, in some order:
 * the banker's rule. So nobody ever takes what another one needs to end, and one can always go on.
 *
 * A lease that waits is where it says; another one is at most where its plan says.
 */
export function isSafeToTake(
  plan: EnginePlan,
  ledger: Ledger,
  request: BlockRequest,
  nowMs: number,
): boolean {
  let free = plan.limits.kvBlocks
  const needs: { held: number; more: number }[] = []
  for (const { chain, leg } of leasesOf(ledger)) {
    const isAsking = chain.id === request.chainId && leg.index === request.index
    const sent = isAsking ? request.frame + 1 : framesSent(leg, chain.pace, nowMs)
    const most = plan.curve.peakBlocks(leg.frames)
    // The tail follows the last frame by itself.
    const isEnding = chain.pace === 0 || sent >= leg.frames
    const held = isEnding ? most : Math.min(most, plan.curve.blocksAfter(sent))
    needs.push({ held, more: most - held })
    free -= held
  }
  needs.sort((one, other) => one.more - other.more)
  return needs.every(({ held, more }) => {
    const canEnd = more <= free
    free += held
    return canEnd
  })
}

/** The most that a lease has sent by now. */
function framesSent(leg: PlannedLeg, pace: number, nowMs: number): number {
  if (leg.stoppedFrame !== null) return leg.stoppedFrame
  const heardMs = nowMs - leg.startMs - lateMs(leg, pace, nowMs)
  return Math.max(0, Math.min(leg.frames, Math.floor(heardMs / frameMsOf(pace)) + 1))
}
