import type { CallOptions } from '../../kernel/abort.js'
import { freshEntries } from '../../redis/fresh-entries.js'
import type { RedisCommands } from '../../redis/redis-commands.js'
import { tryLock } from '../../redis/redis-lock.js'
import { redisScript } from '../../redis/redis-script.js'
import {
  ACTIVITY_TTL_MS,
  type EngineActivity,
  type EngineActivityStore,
  EVICTION_REQUEST_TTL_MS,
} from '../index.js'

const PUBLISH = redisScript(`
  redis.call('HSET', KEYS[1], args[1], args[2])
  redis.call('PEXPIRE', KEYS[1], args[3])`)
const REQUEST_EVICTION = redisScript(`
  redis.call('SADD', KEYS[1], args[1])
  redis.call('PEXPIRE', KEYS[1], args[2])`)
const TAKE_ALL = redisScript(`
  local members = redis.call('SMEMBERS', KEYS[1])
  redis.call('DEL', KEYS[1])
  return members`)

/**
 * Activity of engines in Redis. Under `<prefix>:`: hash `pulses:<engine>` (one JSON value a
 * worker), key `lock:<purpose>:<engine>`, set `free:<worker>:<engine>` of chains to evict. Each key
 * expires when it isn't written again.
 */
export class RedisEngineActivity implements EngineActivityStore {
  private readonly commands: RedisCommands

  constructor(commands: RedisCommands) {
    this.commands = commands
  }

  async publish(engine: string, activity: EngineActivity, options: CallOptions): Promise<void> {
    const args = [activity.worker, JSON.stringify(activity), ACTIVITY_TTL_MS]
    await this.commands.write(PUBLISH, { keys: [this.activityKey(engine)], args }, options)
  }

  async list(engine: string, options: CallOptions): Promise<EngineActivity[]> {
    const isFresh = ({ atMs }: EngineActivity, nowMs: number) => nowMs - atMs < ACTIVITY_TTL_MS
    return await freshEntries(this.commands, this.activityKey(engine), isFresh, options)
  }

  async tryLock(
    engine: string,
    purpose: string,
    options: { holdMs: number; signal: AbortSignal },
  ): Promise<boolean> {
    return await tryLock(this.commands, [purpose, engine], options)
  }

  async requestEviction(
    engine: string,
    chain: { worker: string; chainId: string },
    options: CallOptions,
  ): Promise<void> {
    const keys = [this.evictionKey(engine, chain.worker)]
    const args = [chain.chainId, EVICTION_REQUEST_TTL_MS]
    await this.commands.write(REQUEST_EVICTION, { keys, args }, options)
  }

  async takeEvictionRequests(
    engine: string,
    worker: string,
    options: CallOptions,
  ): Promise<string[]> {
    const keys = [this.evictionKey(engine, worker)]
    return (await this.commands.write(TAKE_ALL, { keys, args: [] }, options)) as string[]
  }

  private activityKey(engine: string): string {
    return this.commands.key('pulses', engine)
  }

  private evictionKey(engine: string, worker: string): string {
    return this.commands.key('free', worker, engine)
  }
}
