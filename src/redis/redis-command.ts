import type { ChainableCommander, Redis } from 'ioredis'
import { orAbort, withTimeout } from '../kernel/abort.js'
import { NightscribeError, UpstreamError } from '../kernel/errors.js'
import { redisFailure } from './redis-failure.js'

/** Longest wait for an answer: a client without a connection keeps its commands for as long. */
const ANSWER_TIMEOUT_MS = 5_000

/** Removes the fields whose values are still what the caller has seen; nothing else. */
const REMOVE_IF_SAME = `
for index = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    redis.call('HDEL', KEYS[1], ARGV[index])
  end
end`

/**
 * What `ask` answers.
 * @throws UpstreamError `queue_unavailable` where Redis refuses or does not answer in time (what
 *   was asked may then still happen); the signal's reason
 */
export async function answerOf<T>(
  ask: () => Promise<T>,
  { signal }: { signal: AbortSignal },
): Promise<T> {
  const late = () =>
    new UpstreamError(
      'queue_unavailable',
      `Redis has not answered for ${ANSWER_TIMEOUT_MS} ms; is it up, and is NIGHTSCRIBE_REDIS_URL right?`,
    )
  try {
    return await withTimeout(ANSWER_TIMEOUT_MS, signal, late, (inTime) => orAbort(ask(), inTime))
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (cause instanceof NightscribeError) throw cause
    throw redisFailure(cause)
  }
}

/** The replies to commands that were sent together. @throws the first one's error */
export async function repliesOf(commands: ChainableCommander): Promise<unknown[]> {
  const answers = (await commands.exec()) ?? []
  return answers.map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}

/** Redis' clock out of its reply to `TIME`: µs of the Unix epoch. */
export function timeUs(reply: unknown): number {
  const [seconds, microseconds] = reply as [string, string]
  return Number(seconds) * 1_000_000 + Number(microseconds)
}

/** The same in whole ms. */
export function timeMs(reply: unknown): number {
  return Math.floor(timeUs(reply) / 1000)
}

/**
 * The entries of a hash of JSON values that are fresh. Those that aren't are removed, unless
 * somebody renews one in this very moment.
 */
export async function freshEntries<T>(
  redis: Redis,
  key: string,
  isFresh: (entry: T, nowMs: number) => boolean,
): Promise<T[]> {
  const [hash, time] = await repliesOf(redis.pipeline().hgetall(key).time())
  const nowMs = timeMs(time)
  const fresh: T[] = []
  const stale: string[] = []
  for (const [field, json] of Object.entries(hash as Record<string, string>)) {
    const entry = JSON.parse(json) as T
    if (isFresh(entry, nowMs)) fresh.push(entry)
    else stale.push(field, json)
  }
  if (stale.length > 0) await redis.eval(REMOVE_IF_SAME, 1, key, ...stale)
  return fresh
}
