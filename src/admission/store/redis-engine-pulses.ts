import type { Redis } from 'ioredis'
import { answerOf, freshEntries, repliesOf } from '../../redis/redis-command.js'
import {
  type EnginePulse,
  type EnginePulses,
  PULSE_KEPT_MS,
  TOLD_TO_FREE_KEPT_MS,
} from '../index.js'

/**
 * Pulses in Redis. Under `<prefix>:`: hash `pulses:<engine>` (one JSON value a worker), key
 * `lock:<purpose>:<engine>`, set `free:<worker>:<engine>` of chains. All of them expire by
 * themselves.
 */
export class RedisEnginePulses implements EnginePulses {
  private readonly redis: Redis
  private readonly prefix: string

  constructor(options: { redis: Redis; prefix: string }) {
    this.redis = options.redis
    this.prefix = options.prefix
  }

  async publish(
    engine: string,
    pulse: EnginePulse,
    options: { signal: AbortSignal },
  ): Promise<void> {
    const key = this.pulsesKey(engine)
    const write = this.redis.pipeline().hset(key, pulse.worker, JSON.stringify(pulse))
    await answerOf(() => repliesOf(write.pexpire(key, PULSE_KEPT_MS)), options)
  }

  async list(engine: string, options: { signal: AbortSignal }): Promise<EnginePulse[]> {
    const isFresh = ({ atMs }: EnginePulse, nowMs: number) => nowMs - atMs < PULSE_KEPT_MS
    return await answerOf(
      () => freshEntries<EnginePulse>(this.redis, this.pulsesKey(engine), isFresh),
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

  async tellToFree(
    engine: string,
    chain: { worker: string; chainId: string },
    options: { signal: AbortSignal },
  ): Promise<void> {
    const key = this.freeKey(engine, chain.worker)
    const write = this.redis.multi().sadd(key, chain.chainId).pexpire(key, TOLD_TO_FREE_KEPT_MS)
    await answerOf(() => repliesOf(write), options)
  }

  async takeToldToFree(
    engine: string,
    worker: string,
    options: { signal: AbortSignal },
  ): Promise<string[]> {
    const key = this.freeKey(engine, worker)
    const take = this.redis.multi().smembers(key).del(key)
    const [chainIds] = await answerOf(() => repliesOf(take), options)
    return chainIds as string[]
  }

  private pulsesKey(engine: string): string {
    return `${this.prefix}:pulses:${engine}`
  }

  private freeKey(engine: string, worker: string): string {
    return `${this.prefix}:free:${worker}:${engine}`
  }
}
