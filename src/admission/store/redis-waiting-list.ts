import type { Redis } from 'ioredis'
import { answerOf, freshEntries, repliesOf, timeMs } from '../../redis/redis-command.js'
import { WAITER_KEPT_MS, type Waiter, type WaitingList } from '../index.js'

interface StoredWaiter extends Waiter {
  /** By Redis' clock. */
  readonly renewedMs: number
}

/**
 * The line of waiting jobs in Redis: hash `<prefix>:waiters`, one JSON value a job. Entries that
 * weren't renewed for `WAITER_KEPT_MS` count as gone and are removed by whoever lists them.
 */
export class RedisWaitingList implements WaitingList {
  private readonly redis: Redis
  private readonly key: string

  constructor(options: { redis: Redis; prefix: string }) {
    this.redis = options.redis
    this.key = `${options.prefix}:waiters`
  }

  async put(waiter: Waiter, options: { signal: AbortSignal }): Promise<void> {
    await answerOf(async () => {
      const { key, redis } = this
      const [json, time] = await repliesOf(redis.pipeline().hget(key, waiter.jobId).time())
      const renewedMs = timeMs(time)
      const standing = json === null ? null : (JSON.parse(json as string) as StoredWaiter)
      const kept = standing && isFresh(standing, renewedMs) ? standing : waiter
      const entry: StoredWaiter = { ...waiter, sinceMs: kept.sinceMs, renewedMs }
      const write = redis.pipeline().hset(key, waiter.jobId, JSON.stringify(entry))
      await repliesOf(write.pexpire(key, WAITER_KEPT_MS))
    }, options)
  }

  async remove(jobId: string, options: { signal: AbortSignal }): Promise<void> {
    await answerOf(() => this.redis.hdel(this.key, jobId), options)
  }

  async list(options: { signal: AbortSignal }): Promise<Waiter[]> {
    const ask = () => freshEntries<StoredWaiter>(this.redis, this.key, isFresh)
    const entries = await answerOf(ask, options)
    return entries.map(({ renewedMs: _, ...waiter }) => waiter)
  }
}

function isFresh({ renewedMs }: StoredWaiter, nowMs: number): boolean {
  return nowMs - renewedMs < WAITER_KEPT_MS
}
