import type { Redis } from 'ioredis'
import { orAbort } from '../kernel/abort.js'
import { ConfigError } from '../kernel/errors.js'
import { redactedRedisUrl } from './redis-connection.js'

/** How a Redis keeps its data, as it tells; null where it doesn't tell. */
export interface RedisDurability {
  evictionPolicy: string | null
  /** Whether every write goes to the append-only file. */
  hasAof: boolean | null
  memoryBytes: number | null
  /** The setting `maxmemory`; 0 for no limit. */
  memoryBytesMax: number | null
}

/**
 * Asks a Redis how it keeps its data. Asks `INFO`, because hosted Redis servers hide `CONFIG`.
 * @throws the signal's reason
 */
export async function readDurability(
  redis: Redis,
  { signal }: { signal: AbortSignal },
): Promise<RedisDurability> {
  const sections = ['memory', 'persistence'].map((section) => {
    return redis.info(section).catch(() => '') // a user without the right to ask gets null for it
  })
  const text = (await orAbort(Promise.all(sections), signal)).join('\n')
  const told = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1] ?? null
  const number = (name: string) => (told(name) === null ? null : Number(told(name)))
  const aof = told('aof_enabled')
  return {
    evictionPolicy: told('maxmemory_policy'),
    hasAof: aof === null ? null : aof === '1',
    memoryBytes: number('used_memory'),
    memoryBytesMax: number('maxmemory'),
  }
}

/**
 * Requires that a Redis deletes no keys when its memory is full: it would delete locks and jobs.
 * @throws ConfigError with the command that changes the setting
 */
export function requireNoEviction({ evictionPolicy }: RedisDurability, url: string): void {
  if (evictionPolicy === null || evictionPolicy === 'noeviction') return
  throw new ConfigError(
    'config_invalid',
    `Redis at ${redactedRedisUrl(url)} deletes keys when its memory is full ` +
      `(maxmemory-policy ${evictionPolicy}), which loses jobs: run ` +
      `\`${commandLine(url, 'maxmemory-policy noeviction')}\` and write it into its redis.conf.`,
    { facts: { evictionPolicy } },
  )
}

/** Sentences about settings that work now and lose or stop jobs later. */
export function durabilityWarnings(durability: RedisDurability, url: string): string[] {
  const { hasAof, memoryBytes, memoryBytesMax } = durability
  const warnings: string[] = []
  if (hasAof === false) {
    warnings.push(
      'writes nothing to disk as it goes (appendonly no): after a restart, jobs and their progress ' +
        'are found again in storage, but up to 10 minutes late and without their position in the queue; run ' +
        `\`${commandLine(url, 'appendonly yes')}\` and write it into its redis.conf`,
    )
  }
  if (memoryBytes !== null && memoryBytesMax && memoryBytes > FULL_SHARE * memoryBytesMax) {
    const percent = Math.round((100 * memoryBytes) / memoryBytesMax)
    warnings.push(
      `has ${percent} % of its memory in use (maxmemory ${memoryBytesMax}), and takes no more jobs ` +
        'at 100 %: raise maxmemory',
    )
  }
  return warnings
}

const FULL_SHARE = 0.8

function commandLine(url: string, setting: string): string {
  const isSocket = url.startsWith('unix://')
  const where = isSocket ? `-s ${url.slice('unix://'.length)}` : `-u ${redactedRedisUrl(url)}`
  return `redis-cli ${where} CONFIG SET ${setting}`
}
