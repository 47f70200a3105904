import type { CallOptions } from '../../kernel/abort.js'
import { ConfigError } from '../../kernel/errors.js'
import { type RedisCommands, timeMs, timeUs } from '../../redis/redis-commands.js'
import { redisScript } from '../../redis/redis-script.js'
import type { LedgerReading, LedgerStore } from '../index.js'
import { EMPTY_LEDGER, type Ledger } from '../ledger/ledger.js'

/** The shape of `Ledger`; raised with every change that an older worker would misunderstand. */
const LEDGER_SCHEMA = 'nightscribe.ledger/1'
/** Keys that Redis scans for one answer. */
const SCAN_COUNT = 500

const WRITE_IF_UNCHANGED = redisScript(`
  if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= args[1] then return 0 end
  redis.call('HSET', KEYS[1], 'revision', args[2], 'value', args[3])
  return 1`)

/** One ledger as this worker last read or wrote it. */
interface Seen {
  revision: number
  ledger: Ledger
  /** Redis' clock at the read. */
  timeUs: number
}

/**
 * The ledgers in Redis: hash `<prefix>:ledger:<engine>` with `revision` and `value` (JSON, with its
 * schema).
 *
 * A revision is Redis' time of the read before the write, in µs, and at least one more than the
 * revision before. A count would repeat after a crash in which Redis lost its last second of
 * writes, and a worker would take another worker's ledger for its own copy.
 */
export class RedisLedgerStore implements LedgerStore {
  private readonly commands: RedisCommands
  private readonly seen = new Map<string, Seen>()

  constructor(commands: RedisCommands) {
    this.commands = commands
  }

  /** @throws ConfigError where a worker of another version has written it */
  async read(engine: string, options: CallOptions): Promise<LedgerReading> {
    const key = this.key(engine)
    const [fields, time] = await this.commands.readAll(
      (read) => read.hmget(key, 'revision', 'value').time(),
      options,
    )
    const [revisionText, json] = fields as [string | null, string | null]
    const revision = Number(revisionText ?? 0)
    const seen = this.seen.get(engine)
    // Most reads find what this worker wrote itself; parsing it again would cost most of the read.
    const ledger = seen?.revision === revision ? seen.ledger : parseLedger(key, json)
    this.seen.set(engine, { revision, ledger, timeUs: timeUs(time) })
    return { ledger, revision, nowMs: timeMs(time) }
  }

  async write(
    engine: string,
    ledger: Ledger,
    { revision, signal }: { revision: number; signal: AbortSignal },
  ): Promise<number | null> {
    const readUs = this.seen.get(engine)?.timeUs ?? 0
    const next = Math.max(revision + 1, readUs)
    const json = JSON.stringify({ schema: LEDGER_SCHEMA, ...ledger })
    const call = { keys: [this.key(engine)], args: [revision, next, json] }
    if ((await this.commands.write(WRITE_IF_UNCHANGED, call, { signal })) !== 1) return null
    this.seen.set(engine, { revision: next, ledger, timeUs: readUs })
    return next
  }

  /** Engines with a ledger, also those that are in no worker's settings any more; in no order. */
  async engines(options: CallOptions): Promise<string[]> {
    const found = new Set<string>()
    const start = this.key('')
    for (let cursor = '0'; ; ) {
      const [next, keys] = await this.commands.read(
        (redis) => redis.scan(cursor, 'MATCH', `${start}*`, 'COUNT', SCAN_COUNT),
        options,
      )
      for (const key of keys) found.add(key.slice(start.length))
      if (next === '0') return [...found]
      cursor = next
    }
  }

  private key(engine: string): string {
    return this.commands.key('ledger', engine)
  }
}

function parseLedger(key: string, json: string | null): Ledger {
  if (json === null) return EMPTY_LEDGER
  const { schema, ...ledger } = parseJson(json) as Ledger & { schema: unknown }
  if (schema === LEDGER_SCHEMA) return ledger
  throw new ConfigError(
    'config_invalid',
    `${key} in Redis has the shape ${String(schema)}, and this worker writes ${LEDGER_SCHEMA}: workers of two versions share one Redis. Run one version only, or give each a queue.prefix of its own; when no other worker runs, delete that key.`,
    { facts: { key } },
  )
}

function parseJson(json: string): object {
  try {
    return JSON.parse(json) ?? {}
  } catch {
    return {} // no JSON: it has no schema either, and the caller refuses it for that
  }
}
