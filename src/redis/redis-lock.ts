import type { Redis } from 'ioredis'
import { answerOf } from './redis-command.js'

/**
 * True for one of all workers, until the turn is over by itself.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function tryLock(
  { redis, prefix }: { redis: Redis; prefix: string },
  what: 'housekeeping' | 'reconcile',
  { holdMs, signal }: { holdMs: number; signal: AbortSignal },
): Promise<boolean> {
  const key = `${prefix}:lock:${what}`
  const ask = () => redis.set(key, '', 'PX', Math.max(1, Math.floor(holdMs)), 'NX')
  return (await answerOf(ask, { signal })) === 'OK'
}
