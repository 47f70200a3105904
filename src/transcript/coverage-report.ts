import type { MsRange } from '../kernel/ms-range.js'
import type { CoverageHole } from './coverage.js'
import { TWIN_MS } from './legs/leg-boundary.js'

/** A hole and what became of it. */
export interface AuditedHole extends CoverageHole {
  /** `rerun`: it was carried once more, and its text is there. */
  readonly action: 'rerun' | 'unresolved'
  /**
   * Why there is no text: `blank` when the second try gave none either, the code of what stood in
   * its way, or null where nobody tried. Null where it was repaired.
   */
  readonly reason: string | null
}

/** A stretch that was to be carried once more, and wasn't. */
export interface FailedRerun {
  readonly holesMs: readonly MsRange[]
  /** An error's code, or `audit_limit`. */
  readonly reason: string
}

/**
 * All holes of a lane, by their starts: those that are left, and of those that were repaired what
 * isn't left. Pure.
 *
 * @param left holes of the repaired lane, in order
 * @param audit what was tried; `patchedMs` are the holes that something was put into
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
      // Words at its edges may be marked a little otherwise the second time.
      .filter(([startMs, endMs]) => endMs - startMs > TWIN_MS)
      .map(([startMs, endMs]): AuditedHole => {
        return { startMs, endMs, action: 'rerun', reason: null }
      }),
  )
  return [...unresolved, ...repaired].sort((one, other) => one.startMs - other.startMs)
}

/** What of a stretch no hole covers. @param holes in order */
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
