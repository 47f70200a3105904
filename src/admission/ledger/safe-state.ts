import { type EnginePlan, frameMsOf } from '../load/engine-plan.js'
import { lateMs } from '../load/lease-times.js'
import type { Ledger, PlannedLeg } from './ledger.js'
import { leasesOf } from './ledger-changes.js'

/** A lease that asks to send a frame for which the engine takes a new KV block. */
export interface BlockRequest {
  readonly chainId: string
  readonly index: number
  /** The frame that takes the block, counted in the leg from 0. */
  readonly frame: number
}

/**
 * Whether a lease may take a new block although the plans of all leases don't fit together any
 * more, because a lease is late. Planned times don't count then; only the blocks that each lease
 * holds now and those that it may still need. The lease may go on if afterwards all sessions could
 * still run to their ends one after the other, in some order (the banker's rule). So no lease ever
 * takes the last blocks that another one needs to end, and one lease can always go on: no deadlock.
 *
 * A stopped lease counts as far as it has told; any other lease as far as its plan allows by now.
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
    // After its last frame the engine computes the tail without asking, so its peak counts as held.
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

/** The most frames that a lease can have sent by now. */
function framesSent(leg: PlannedLeg, pace: number, nowMs: number): number {
  if (leg.stoppedFrame !== null) return leg.stoppedFrame
  const heardMs = nowMs - leg.startMs - lateMs(leg, pace, nowMs)
  return Math.max(0, Math.min(leg.frames, Math.floor(heardMs / frameMsOf(pace)) + 1))
}
