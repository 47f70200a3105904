import type { MsRange } from '../kernel/ms-range.js'
import type { CoverageHole } from './coverage.js'
import { TWIN_MS } from './legs/leg-boundary.js'

/** A hole and what was done about it. */
export interface AuditedHole extends CoverageHole {
  /** `rerun`: the hole was run once more, and now has text. */
  readonly action: 'rerun' | 'unresolved'
  /**
   * Why the hole has no text: `blank` when the rerun gave none either, an error's code when the
   * rerun failed, null when there was no rerun. Also null where the hole was repaired.
   */
  readonly reason: string | null
}

/** A segment that was to be run once more, but wasn't. */
export interface FailedRerun {
  readonly holesMs: readonly MsRange[]
  /** An error's code, or `audit_limit` when the job's share of reruns was used up. */
  readonly reason: string
}

/**
 * All holes of a lane by their starts: those that remain, and the repaired parts of others. Pure.
 *
 * @param left holes of the repaired lane, in order
 * @param audit what was tried; `patchedMs` are the holes that got text
 */
export function auditedHoles(
  left: readonly CoverageHole[],
  audit: {
    reruns: readonly { holesMs: readonly MsRange[] }[]
    failedReruns: readonly FailedRerun[]
    patchedMs: readonly MsRange[]
  },
): AuditedHole[] {
  const tried = audit.reruns.map(({ holesMs }) => ({ holesMs, reason: 'blank' }))
  const outcomes = [...tried, ...audit.failedReruns]
  const unresolved = left.map(({ startMs, endMs }): AuditedHole => {
    const isHere = ([from, to]: MsRange) => from < endMs && startMs < to
    const outcome = outcomes.find(({ holesMs }) => holesMs.some(isHere))
    return { startMs, endMs, action: 'unresolved', reason: outcome?.reason ?? null }
  })
  const repaired = audit.patchedMs.flatMap((hole) =>
    without(hole, left)
      // Rests of up to 240 ms at a repaired hole's edges are dropped: the rerun may have timed the
      // words there slightly differently.
      .filter(([startMs, endMs]) => endMs - startMs > TWIN_MS)
      .map(([startMs, endMs]): AuditedHole => {
        return { startMs, endMs, action: 'rerun', reason: null }
      }),
  )
  return [...unresolved, ...repaired].sort((one, other) => one.startMs - other.startMs)
}

/** The parts of a segment that no hole covers. @param holes in order */
function without([fromMs, untilMs]: MsRange, holes: readonly CoverageHole[]): MsRange[] {
  const parts: MsRange[] = []
  let reachedMs = fromMs
  for (const { startMs, endMs } of holes) {
    if (startMs >= untilMs) break
    if (startMs > reachedMs) parts.push([reachedMs, startMs])
    reachedMs = Math.max(reachedMs, endMs)
  }
  if (untilMs > reachedMs) parts.push([reachedMs, untilMs])
  return parts
}
