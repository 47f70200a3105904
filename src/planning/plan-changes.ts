import type { Policy } from '../admission/load/engine-plan.js'

/** Something that could be changed so that a night ends earlier. */
export type PlanChange =
  /** Another policy: costs nothing. */
  | { readonly kind: 'policy'; readonly policy: Policy }
  /** Recordings at so many times real time. */
  | { readonly kind: 'pace'; readonly pace: number }
  /** Shorter legs, so that more of them fit: costs context, and so accuracy. */
  | { readonly kind: 'floor'; readonly floorMs: number }
  /** So many engines in all: costs money. */
  | { readonly kind: 'engines'; readonly engines: number }

/** What changes are chosen by. */
export interface ChangeScope {
  readonly policy: Policy
  /** The most that a waiting recording has now. */
  readonly pace: number
  readonly floorMs: number
  readonly engines: number
  /** Whether it is known of every engine what its steps take. */
  readonly knowsSteps: boolean
  /** Whether a recording waits for room at any time: else more room gains nothing. */
  readonly isWaiting: boolean
}

const FASTER = [1.25, 1.5]
const FLOOR_MS_MIN = 5_000

/**
 * What could be changed, cheapest first: what costs nothing, then what costs the engine's reserves,
 * then accuracy, then money. Pure. A higher pace is in it only where a step budget says what it
 * asks of the engines.
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
 * With how many engines a night may end in time, once one more was found too few: by the time that
 * is left, and by what one more has gained. Null where no number of engines can help.
 *
 * @param options.longestMs the longest recording takes at its pace: no night is shorter
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
