import type { Redis } from 'ioredis'
import { answerOf, repliesOf } from '../../redis/redis-command.js'
import { HEARTBEAT_TTL_MS, type WorkerHeartbeats } from '../index.js'

/** Signs of life in Redis: keys `<prefix>:alive:<worker>` that expire by themselves. */
export class RedisWorkerHeartbeats implements WorkerHeartbeats {
  private readonly redis: Redis
  private readonly prefix: string

  constructor(options: { redis: Redis; prefix: string }) {
    this.redis = options.redis
    this.prefix = options.prefix
  }

  async beat(worker: string, options: { signal: AbortSignal }): Promise<void> {
    await answerOf(() => this.redis.set(this.key(worker), '', 'PX', HEARTBEAT_TTL_MS), options)
  }

  async ages(
    workers: readonly string[],
    options: { signal: AbortSignal },
  ): Promise<ReadonlyMap<string, number | null>> {
    const read = this.redis.pipeline()
    for (const worker of workers) read.pttl(this.key(worker))
    const leftMs = await answerOf(() => repliesOf(read), options)
    // Redis answers below 0 for a key that isn't there.
    const ageMs = (left: number) => (left < 0 ? null : HEARTBEAT_TTL_MS - left)
    return new Map(workers.map((worker, index) => [worker, ageMs(leftMs[index] as number)]))
  }

  async deregister(worker: string, options: { signal: AbortSignal }): Promise<void> {
    await answerOf(() => this.redis.del(this.key(worker)), options)
  }

  private key(worker: string): string {
    return `${this.prefix}:alive:${worker}`
  }
}
