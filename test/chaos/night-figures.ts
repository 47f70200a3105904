import type { StruckFault } from './fault-striker.js'
import type { HeardSession } from './heard-sessions.js'

/** Audio that was sent once more because the session before it was lost. */
export interface Redone {
  lane: string
  /** From the start of the run. */
  atMs: number
  audioMs: number
  /** Another attempt went on, or the same one with another session. */
  cause: 'takeover' | 'session'
}

/** A lane that lost its worker, and when it went on. */
export interface WentOn {
  lane: string
  kind: 'worker-kill' | 'worker-freeze'
  atMs: number
  gapMs: number
  /** Nothing else befell workers, engines or Redis meanwhile. */
  isUndisturbed: boolean
}

/** When the attempt of a job that had a fence was first seen; from the start of the run. */
export type FencesSeen = ReadonlyMap<string, readonly { fence: number; atMs: number }[]>

/** A session that ended well hands over with this much overlap at most, which nobody redid. */
const OVERLAP_MS_MAX = 2_500
/** A fence is seen so much later than it was drawn, at most. */
const SEEN_LATE_MS = 1_500
/** Shorter than a lock lasts, a freeze costs nobody a job. */
const LOCK_MS = 10_000

/** Sessions by lane, in the order in which they began. */
export function sessionsByLane(all: readonly HeardSession[]): Map<string, HeardSession[]> {
  const lanes = new Map<string, HeardSession[]>()
  for (const session of all) {
    if (session.lane === null) continue
    lanes.set(session.lane, [...(lanes.get(session.lane) ?? []), session])
  }
  return lanes
}

/** How much each session sent of what others had sent before. Pure. */
export function audioRedone(
  all: readonly HeardSession[],
  run: { startMs: number; fences: FencesSeen },
): Redone[] {
  const redone: Redone[] = []
  for (const [lane, sessions] of sessionsByLane(all)) {
    for (const [index, session] of sessions.entries()) {
      const before = sessions.slice(0, index)
      const furthest = before.map((each) => ({ each, reachedMs: reachedBefore(each, session) }))
      furthest.sort((one, other) => other.reachedMs - one.reachedMs)
      const [last] = furthest
      if (!last) continue
      const audioMs = last.reachedMs - session.startMs
      const isLost = !last.each.isComplete || audioMs > OVERLAP_MS_MAX
      if (!isLost) continue
      const atMs = session.openedMs - run.startMs
      const lostMs = last.each.lastFedMs - run.startMs
      const seen = run.fences.get(lane.split('/')[0] ?? '') ?? []
      const isNew = seen.some((each) => each.atMs > lostMs && each.atMs < atMs + SEEN_LATE_MS)
      const cause = isNew ? 'takeover' : 'session'
      redone.push({ lane, atMs, audioMs: Math.max(0, audioMs), cause })
    }
  }
  return redone.sort((one, other) => one.atMs - other.atMs)
}

/** How far a session had come when another one began. */
function reachedBefore(session: HeardSession, later: HeardSession): number {
  return session.startMs + (later.before.get(session) ?? session.audioMs)
}

/** When lanes went on that lost their worker. Those that had nothing left to do are left out. */
export function timesToGoOn(
  all: readonly HeardSession[],
  faults: readonly StruckFault[],
  { startMs }: { startMs: number },
): WentOn[] {
  const lanes = sessionsByLane(all)
  return faults.flatMap(({ fault, atMs, lanes: hit }) => {
    if (fault.kind !== 'worker-kill' && fault.kind !== 'worker-freeze') return []
    if (fault.kind === 'worker-freeze' && fault.durationMs < LOCK_MS) return []
    const { kind } = fault
    return hit.flatMap((lane) => {
      const next = lanes.get(lane)?.find(({ openedMs }) => openedMs - startMs > atMs)
      if (!next) return []
      const gapMs = next.openedMs - startMs - atMs
      const isDisturbing = (other: StruckFault) =>
        other.target !== null && !/^(socket|s3)/.test(other.fault.kind)
      const isUndisturbed = !faults.some(
        (other) =>
          other.atMs !== atMs &&
          isDisturbing(other) &&
          other.atMs > atMs - LOCK_MS &&
          other.atMs < atMs + gapMs,
      )
      return [{ lane, kind, atMs, gapMs, isUndisturbed }]
    })
  })
}

/** Count, mean, median and worst, to whole ms. */
export function spreadOf(values: readonly number[]) {
  const sorted = [...values].sort((one, other) => one - other)
  const sum = sorted.reduce((total, each) => total + each, 0)
  return {
    count: sorted.length,
    mean: Math.round(sum / Math.max(1, sorted.length)),
    median: Math.round(sorted[sorted.length >> 1] ?? 0),
    worst: Math.round(sorted.at(-1) ?? 0),
  }
}
