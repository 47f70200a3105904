import type { CallOptions } from '../../kernel/abort.js'
import type { RedisCommands } from '../../redis/redis-commands.js'
import { redisScript } from '../../redis/redis-script.js'
import { HEARTBEAT_TTL_MS, type WorkerHeartbeats } from '../index.js'

const BEAT = redisScript("redis.call('SET', KEYS[1], '', 'PX', args[1])")
const DEREGISTER = redisScript("redis.call('DEL', KEYS[1])")

/** Heartbeats in Redis: keys `<prefix>:alive:<worker>`, which expire after `HEARTBEAT_TTL_MS`. */
export class RedisWorkerHeartbeats implements WorkerHeartbeats {
  private readonly commands: RedisCommands

  constructor(commands: RedisCommands) {
    this.commands = commands
  }

  async beat(worker: string, options: CallOptions): Promise<void> {
    await this.commands.write(BEAT, { keys: [this.key(worker)], args: [HEARTBEAT_TTL_MS] }, options)
  }

  async ages(
    workers: readonly string[],
    options: CallOptions,
  ): Promise<ReadonlyMap<string, number | null>> {
    const leftMs = await this.commands.readAll((read) => {
      for (const worker of workers) read.pttl(this.key(worker))
      return read
    }, options)
    // Redis answers below 0 for a key that isn't there.
    const ageMs = (left: number) => (left < 0 ? null : HEARTBEAT_TTL_MS - left)
    return new Map(workers.map((worker, index) => [worker, ageMs(leftMs[index] as number)]))
  }

  async deregister(worker: string, options: CallOptions): Promise<void> {
    await this.commands.write(DEREGISTER, { keys: [this.key(worker)], args: [] }, options)
  }

  private key(worker: string): string {
    return this.commands.key('alive', worker)
  }
}
