import type { CallOptions } from '../../kernel/abort.js'
import { freshEntries } from '../../redis/fresh-entries.js'
import { type RedisCommands, timeMs } from '../../redis/redis-commands.js'
import { redisScript } from '../../redis/redis-script.js'
import { WAITER_KEPT_MS, type Waiter, type WaitingList } from '../index.js'

const PUT = redisScript(`
  redis.call('HSET', KEYS[1], args[1], args[2])
  redis.call('PEXPIRE', KEYS[1], args[3])`)
const REMOVE = redisScript("redis.call('HDEL', KEYS[1], args[1])")

interface StoredWaiter extends Waiter {
  /** When the entry was last renewed, by Redis' clock; ms of the Unix epoch. */
  readonly renewedMs: number
}

/**
 * The waiting list in Redis: hash `<prefix>:waiters`, one JSON value a job. Entries that weren't
 * renewed for `WAITER_KEPT_MS` count as gone; every `list` removes them.
 */
export class RedisWaitingList implements WaitingList {
  private readonly commands: RedisCommands
  private readonly key: string

  constructor(commands: RedisCommands) {
    this.commands = commands
    this.key = commands.key('waiters')
  }

  async put(waiter: Waiter, options: CallOptions): Promise<void> {
    const { commands, key } = this
    const { jobId } = waiter
    const [json, time] = await commands.readAll((read) => read.hget(key, jobId).time(), options)
    const renewedMs = timeMs(time)
    const existing = json === null ? null : (JSON.parse(json as string) as StoredWaiter)
    const kept = existing && isFresh(existing, renewedMs) ? existing : waiter
    const entry: StoredWaiter = { ...waiter, sinceMs: kept.sinceMs, renewedMs }
    const args = [jobId, JSON.stringify(entry), WAITER_KEPT_MS]
    await commands.write(PUT, { keys: [key], args }, options)
  }

  async remove(jobId: string, options: CallOptions): Promise<void> {
    await this.commands.write(REMOVE, { keys: [this.key], args: [jobId] }, options)
  }

  async list(options: CallOptions): Promise<Waiter[]> {
    const entries = await freshEntries<StoredWaiter>(this.commands, this.key, isFresh, options)
    return entries.map(({ renewedMs: _, ...waiter }) => waiter)
  }
}

function isFresh({ renewedMs }: StoredWaiter, nowMs: number): boolean {
  return nowMs - renewedMs < WAITER_KEPT_MS
}
