import type { GaugesRead } from './events.js'

/** The engine's gauges, summed up over a step; null for a gauge that it never told. */
export interface GaugeSums {
  samples: number
  /** Sessions of the sweep that are open; `lastTurnMs`: when one was last opened or closed. */
  sessionsOpen: number
  lastTurnMs: number
  kvUsageLast: number | null
  kvUsageMax: number | null
  /** Most sessions at a time that waited for `max_num_seqs`; then: in how many samples any did. */
  waitingCapacityMax: number | null
  waitingCapacitySamples: number
  deferredMax: number | null
  preemptionsFirst: number | null
  preemptionsLast: number | null
  /** Most connections at a time that were not the sweep's. */
  othersConnectedMax: number | null
}

/** Within 1 s of an open or close of ours, the engine's count may include it or not. */
const SETTLE_MS = 1_000

/** The sums before the first sample. @param othersConnected connections right before the step */
export function newGaugeSums(othersConnected: number | null): GaugeSums {
  return {
    samples: 0,
    sessionsOpen: 0,
    lastTurnMs: Number.NEGATIVE_INFINITY,
    kvUsageLast: null,
    kvUsageMax: null,
    waitingCapacityMax: null,
    waitingCapacitySamples: 0,
    deferredMax: null,
    preemptionsFirst: null,
    preemptionsLast: null,
    othersConnectedMax: othersConnected,
  }
}

/** A session of ours was opened (1) or closed (-1). */
export function noteTurn(sums: GaugeSums, change: 1 | -1, atMs: number): void {
  sums.sessionsOpen += change
  sums.lastTurnMs = atMs
}

/** Adds one sample. */
export function foldGauges(sums: GaugeSums, read: GaugesRead): void {
  sums.samples += 1
  sums.kvUsageLast = read.kvUsage ?? sums.kvUsageLast
  sums.kvUsageMax = most(sums.kvUsageMax, read.kvUsage)
  sums.waitingCapacityMax = most(sums.waitingCapacityMax, read.waitingCapacity)
  if ((read.waitingCapacity ?? 0) > 0) sums.waitingCapacitySamples += 1
  sums.deferredMax = most(sums.deferredMax, read.deferred)
  sums.preemptionsFirst ??= read.preemptions
  sums.preemptionsLast = read.preemptions ?? sums.preemptionsLast
  if (read.websocketConnections === null) return
  if (read.requestedMs - sums.lastTurnMs < SETTLE_MS) return
  const others = Math.max(0, read.websocketConnections - sums.sessionsOpen)
  sums.othersConnectedMax = most(sums.othersConnectedMax, others)
}

function most(left: number | null, right: number | null): number | null {
  if (left === null || right === null) return left ?? right
  return Math.max(left, right)
}
