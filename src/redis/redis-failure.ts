import { reasonOf, UpstreamError } from '../kernel/errors.js'

/** First word of a refusal of Redis → what it means, and what to do about it. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: 'Redis takes no writes because its memory is full: raise its maxmemory, or free some. Nothing is lost, and jobs go on when it does',
  MISCONF:
    "Redis takes no writes because it can't save them to its disk: make room there, then see its log",
  READONLY:
    'Redis takes no writes because it is a replica: after a failover this mends itself, otherwise NIGHTSCRIBE_REDIS_URL must name the primary',
  LOADING: 'Redis is still reading its data after a start',
  MASTERDOWN: 'Redis is a replica that has lost its primary',
  NOPERM: 'Redis refuses a command to the user in NIGHTSCRIBE_REDIS_URL: allow it ~* &* +@all',
}

/**
 * The error for what a Redis client threw, with the same sentences for all adapters of Redis.
 */
export function redisFailure(cause: unknown): UpstreamError {
  const refusal = firstRefusal(cause)
  const reason = reasonOf(refusal)
  const word = /^[A-Z]+/.exec(reason)?.[0] ?? ''
  const sentence = REFUSALS[word]
  return new UpstreamError(
    'queue_unavailable',
    sentence === undefined
      ? `Redis failed: ${reason.replace(/\.$/, '')}.`
      : `${sentence} (${word}).`,
    {
      cause,
      effect: sentence === undefined ? 'unknown' : 'none',
      facts: { refusal: word || null },
    },
  )
}

/** The error to report: for a discarded transaction, why Redis refused its first command. */
function firstRefusal(cause: unknown): unknown {
  const { previousErrors } = (cause ?? {}) as { previousErrors?: unknown }
  return (Array.isArray(previousErrors) && previousErrors[0]) || cause
}
