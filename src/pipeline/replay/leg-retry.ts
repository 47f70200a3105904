import { CapacityError, NightscribeError } from '../../kernel/errors.js'
import { isRefusal } from '../../realtime/session-failure.js'

/** Failures of a lane in a row, without progress, after which the whole attempt fails. */
const LEG_TRIES_MAX = 5
/** Wait, in ms, of a job that lost its last engine, before it asks for admission again. */
const OUTAGE_RETRY_MS = 1_000

/** A lane that has lost its session. */
export interface LostSession {
  /** Failures in a row since the lane last made progress; at least 1. */
  failures: number
  /** Why no engine is up, as one sentence; null while one is. */
  outage: string | null
}

/**
 * How long to wait before a leg is replayed again. The wait doubles with every failure, less up to
 * half of it by chance, so that 100 sessions of an engine that died don't return at the same time.
 *
 * @param uniform chance in [0, 1)
 * @returns ms
 * @throws CapacityError when no engine is up: the job waits in the queue, and this counts as no
 *   attempt; the error itself when another session won't help
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
