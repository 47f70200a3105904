import type { RedisCommands } from './redis-commands.js'
import { redisScript } from './redis-script.js'

const TAKE = redisScript(`
  if redis.call('SET', KEYS[1], '', 'PX', args[1], 'NX') then return 1 end
  return 0`)

/**
 * Takes a lock that Redis releases after `holdMs`. True for one caller of all workers until then.
 * @param name parts of its key, after `lock`
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function tryLock(
  commands: RedisCommands,
  name: readonly string[],
  { holdMs, signal }: { holdMs: number; signal: AbortSignal },
): Promise<boolean> {
  const keys = [commands.key('lock', ...name)]
  const args = [Math.max(1, Math.floor(holdMs))]
  return (await commands.write(TAKE, { keys, args }, { signal })) === 1
}
