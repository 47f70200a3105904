import type { Policy } from '../admission/load/engine-plan.js'

/** A change by which a night may end earlier. */
export type PlanChange =
  /** Another policy of admission: costs nothing. */
  | { readonly kind: 'policy'; readonly policy: Policy }
  /** Recordings replayed faster: `pace` is a multiple of real time. */
  | { readonly kind: 'pace'; readonly pace: number }
  /** Shorter legs, so that more of them fit: costs context, and so accuracy. */
  | { readonly kind: 'floor'; readonly floorMs: number }
  /** More engines, `engines` in all: costs money. */
  | { readonly kind: 'engines'; readonly engines: number }

/** The facts by which changes are chosen. */
export interface ChangeScope {
  readonly policy: Policy
  /** The greatest pace of a waiting recording, a multiple of real time. */
  readonly pace: number
  readonly floorMs: number
  readonly engines: number
  /** Whether the step times of every engine are known. */
  readonly knowsSteps: boolean
  /** Whether a recording waits for room at some moment: otherwise more room gains nothing. */
  readonly isWaiting: boolean
}

const FASTER = [1.25, 1.5]
const FLOOR_MS_MIN = 5_000

/**
 * The changes that may help, cheapest first: those that cost nothing, then those that use up an
 * engine's reserve of speed, then accuracy, then money. Pure. A higher pace is offered only where
 * the step times are known: otherwise the plan could not tell whether the engines keep up.
 */
export function possibleChanges(scope: ChangeScope): PlanChange[] {
  const { policy, pace, floorMs, engines, knowsSteps, isWaiting } = scope
  const changes: PlanChange[] = []
  if (isWaiting && policy !== 'elastic') changes.push({ kind: 'policy', policy: 'elastic' })
  const isKeptUp = knowsSteps && pace > 0
  for (const faster of FASTER) {
    if (isKeptUp && faster > pace) changes.push({ kind: 'pace', pace: faster })
  }
  if (!isWaiting) return changes
  const shorterMs = Math.round(floorMs / 2 / 1000) * 1000
  if (policy === 'elastic' && shorterMs >= FLOOR_MS_MIN) {
    changes.push({ kind: 'floor', floorMs: shorterMs })
  }
  changes.push({ kind: 'engines', engines: engines + 1 })
  return changes
}

/**
 * An estimate of the engines with which a night ends in time, taking its length as inversely
 * proportional to their number: at least one more than there are. Null where no number of engines
 * can help.
 *
 * @param options.takesMs the night with `engines` engines
 * @param options.leftMs the time until the night must be over
 * @param options.longestMs the longest recording at its pace: no night is shorter
 */
export function enginesNeeded(options: {
  engines: number
  takesMs: number
  leftMs: number
  longestMs: number
}): number | null {
  const { engines, takesMs, leftMs, longestMs } = options
  if (leftMs <= longestMs) return null
  return Math.max(engines + 1, Math.ceil((engines * takesMs) / leftMs))
}
