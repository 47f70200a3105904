import type { CallOptions } from '../kernel/abort.js'
import type { RedisCommands } from './redis-commands.js'
import { timeMs } from './redis-commands.js'
import { redisScript } from './redis-script.js'

/** Removes the fields whose values are still those that the caller has read. */
const REMOVE_IF_SAME = redisScript(`
  for index = 1, #args, 2 do
    if redis.call('HGET', KEYS[1], args[index]) == args[index + 1] then
      redis.call('HDEL', KEYS[1], args[index])
    end
  end`)

/**
 * The fresh entries of a hash of JSON values. Stale entries are removed, except one that another
 * worker renews between our read and our removal. Where Redis takes no writes they stay, and the
 * answer is the same.
 */
export async function freshEntries<T>(
  commands: RedisCommands,
  key: string,
  isFresh: (entry: T, nowMs: number) => boolean,
  options: CallOptions,
): Promise<T[]> {
  const [hash, time] = await commands.readAll((read) => read.hgetall(key).time(), options)
  const nowMs = timeMs(time)
  const fresh: T[] = []
  const stale: string[] = []
  for (const [field, json] of Object.entries(hash as Record<string, string>)) {
    const entry = JSON.parse(json) as T
    if (isFresh(entry, nowMs)) fresh.push(entry)
    else stale.push(field, json)
  }
  if (stale.length > 0) await remove(commands, key, stale, options)
  return fresh
}

async function remove(
  commands: RedisCommands,
  key: string,
  stale: readonly string[],
  options: CallOptions,
): Promise<void> {
  try {
    await commands.write(REMOVE_IF_SAME, { keys: [key], args: stale }, options)
  } catch {
    options.signal.throwIfAborted() // a failed removal is harmless: the next reader removes them
  }
}
