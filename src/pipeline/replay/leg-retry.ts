import { CapacityError, NightscribeError } from '../../kernel/errors.js'
import { isRefusal } from '../../realtime/session-failure.js'

/** Tries of one leg before the whole attempt fails. */
const LEG_TRIES_MAX = 5
/** Delay, in ms, after which a job asks for admission again while no engine is up. */
const OUTAGE_RETRY_MS = 1_000

/** A lane that has lost its session. */
export interface LostSession {
  /** Since the lane last got further. */
  failures: number
  /** Why no engine is up, as one sentence; null while one is. */
  outage: string | null
}

/**
 * When a leg is replayed again: after a wait that doubles with every failure, less up to a half by
 * chance, so that a hundred sessions of an engine that died don't return in one instant.
 *
 * @param uniform chance in [0, 1)
 * @returns ms
 * @throws CapacityError when no engine is up: the job waits, and no failure is counted;
 *   the error itself when another session won't help
 */
export function legRetryMs(
  error: unknown,
  { failures, outage }: LostSession,
  limits: { backoffMs: number; backoffMaxMs: number },
  uniform: () => number,
): number {
  const mayHelp = error instanceof NightscribeError && (error.retryable || isRefusal(error))
  if (!mayHelp) throw error
  if (outage !== null) {
    throw new CapacityError('engine_unavailable', outage, {
      retryAfterMs: OUTAGE_RETRY_MS,
      cause: error,
    })
  }
  if (failures >= LEG_TRIES_MAX) throw error
  const { backoffMs, backoffMaxMs } = limits
  const longestMs = Math.min(backoffMaxMs, backoffMs * 2 ** (failures - 1))
  return longestMs * (1 - uniform() / 2)
}
