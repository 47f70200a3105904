import type { Redis } from 'ioredis'
import { RedisWaitingList } from '../admission/store/redis-waiting-list.js'
import type { Settings } from '../config/schema.js'
import type { Clock } from '../kernel/clock.js'
import { s3Address } from '../kernel/location.js'
import type { Random } from '../kernel/random.js'
import type { IntakePorts } from '../pipeline/index.js'
import { BullmqJobQueue } from '../queue/bullmq-job-queue.js'
import { RedisJobStore } from '../queue/redis-job-store.js'
import { RedisCommands } from '../redis/redis-commands.js'
import { connectRedis } from '../redis/redis-connection.js'
import { readDurability, requireNoEviction } from '../redis/redis-durability.js'
import type { ObjectStore } from '../storage/index.js'
import { openObjectStore } from '../storage/open-object-store.js'
import { embeddedRedisUrl } from './embedded-redis.js'

/** The adapters of one process, built from its settings. */
export interface OpenPorts extends IntakePorts, AsyncDisposable {
  /** For BullMQ's workers alone; all other access to Redis goes through `commands`. */
  redis: Redis
  commands: RedisCommands
}

/**
 * Opens storage and queue.
 * @throws ConfigError or UpstreamError, naming the setting
 */
export async function openPorts(
  settings: Settings,
  options: {
    clock: Clock
    random: Random
    signal: AbortSignal
    onRedisError?: (error: Error) => void
    /** Called each time a request to S3 is sent again. */
    onStorageRetry?: () => void
  },
): Promise<OpenPorts> {
  const { clock, random, signal } = options
  const storeOptions = { clock, random, onRetry: options.onStorageRetry }
  const store = await openObjectStore(settings, storeOptions)
  const buckets = new Map<string, Promise<ObjectStore>>()
  const url = settings.redisUrl ?? embeddedRedisUrl(settings.stateDir)
  const onError = options.onRedisError ?? (() => {})
  const redis = await connectDurable(url, { signal, onError })
  const { prefix, recordsKeptMs: keptMs } = settings.queue
  const commands = new RedisCommands({ redis, prefix, clock })
  const queue = new BullmqJobQueue(commands)
  return {
    store,
    sourceStore(bucket) {
      const storage = s3Address(bucket)
      const opened = buckets.get(bucket) ?? openObjectStore({ ...settings, storage }, storeOptions)
      buckets.set(bucket, opened)
      return opened
    },
    queue,
    jobStore: new RedisJobStore(commands, { keptMs, clock }),
    waiting: new RedisWaitingList(commands),
    clock,
    redis,
    commands,
    async [Symbol.asyncDispose]() {
      await queue.close()
      redis.disconnect()
    },
  }
}

/**
 * @throws ConfigError where Redis may forget jobs (it evicts keys); and what `connectRedis` throws
 */
async function connectDurable(
  url: string,
  options: { signal: AbortSignal; onError: (error: Error) => void },
): Promise<Redis> {
  const redis = await connectRedis({ url }, options)
  try {
    requireNoEviction(await readDurability(redis, options), url)
    return redis
  } catch (error) {
    redis.disconnect()
    throw error
  }
}
