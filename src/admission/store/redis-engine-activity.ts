import type { Redis } from 'ioredis'
import { answerOf, freshEntries, repliesOf } from '../../redis/redis-command.js'
import {
  ACTIVITY_TTL_MS,
  type EngineActivity,
  type EngineActivityStore,
  EVICTION_REQUEST_TTL_MS,
} from '../index.js'

/**
 * Pulses in Redis. Under `<prefix>:`: hash `pulses:<engine>` (one JSON value a worker), key
 * `lock:<purpose>:<engine>`, set `free:<worker>:<engine>` of chains. All of them expire by
 * themselves.
 */
export class RedisEngineActivity implements EngineActivityStore {
  private readonly redis: Redis
  private readonly prefix: string

  constructor(options: { redis: Redis; prefix: string }) {
    this.redis = options.redis
    this.prefix = options.prefix
  }

  async publish(
    engine: string,
    activity: EngineActivity,
    options: { signal: AbortSignal },
  ): Promise<void> {
    const key = this.activityKey(engine)
    const write = this.redis.pipeline().hset(key, activity.worker, JSON.stringify(activity))
    await answerOf(() => repliesOf(write.pexpire(key, ACTIVITY_TTL_MS)), options)
  }

  async list(engine: string, options: { signal: AbortSignal }): Promise<EngineActivity[]> {
    const isFresh = ({ atMs }: EngineActivity, nowMs: number) => nowMs - atMs < ACTIVITY_TTL_MS
    return await answerOf(
      () => freshEntries<EngineActivity>(this.redis, this.activityKey(engine), isFresh),
      options,
    )
  }

  async tryLock(
    engine: string,
    purpose: string,
    { holdMs, signal }: { holdMs: number; signal: AbortSignal },
  ): Promise<boolean> {
    const key = `${this.prefix}:lock:${purpose}:${engine}`
    const answer = await answerOf(() => this.redis.set(key, '', 'PX', holdMs, 'NX'), { signal })
    return answer === 'OK'
  }

  async requestEviction(
    engine: string,
    chain: { worker: string; chainId: string },
    options: { signal: AbortSignal },
  ): Promise<void> {
    const key = this.freeKey(engine, chain.worker)
    const write = this.redis.multi().sadd(key, chain.chainId).pexpire(key, EVICTION_REQUEST_TTL_MS)
    await answerOf(() => repliesOf(write), options)
  }

  async takeEvictionRequests(
    engine: string,
    worker: string,
    options: { signal: AbortSignal },
  ): Promise<string[]> {
    const key = this.freeKey(engine, worker)
    const take = this.redis.multi().smembers(key).del(key)
    const [chainIds] = await answerOf(() => repliesOf(take), options)
    return chainIds as string[]
  }

  private activityKey(engine: string): string {
    return `${this.prefix}:pulses:${engine}`
  }

  private freeKey(engine: string, worker: string): string {
    return `${this.prefix}:free:${worker}:${engine}`
  }
}
