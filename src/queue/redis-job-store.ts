import type { CallOptions } from '../kernel/abort.js'
import type { Clock } from '../kernel/clock.js'
import { DEFAULT_TENANT } from '../kernel/tenant.js'
import type { RedisCommands } from '../redis/redis-commands.js'
import { redisScript } from '../redis/redis-script.js'
import { decodeHistory, HISTORY_ENTRIES_MAX, mergedEntry } from './contract/job-history.js'
import {
  decodeEvent,
  decodeRecord,
  encodeFields,
  reachedField,
} from './contract/job-record-codec.js'
import { isFinal, type JobStatus, mayFollow } from './contract/job-status.js'
import { jsonValue } from './contract/json-value.js'
import type {
  DatedHistoryEntry,
  JobEvent,
  JobHistoryEntry,
  JobRecord,
  JobStore,
  RecordChanges,
  StreamedEvent,
} from './index.js'
import { indexKey, openIds, removeForgotten, tenantsKey } from './redis-job-index.js'

/** Entries that a job's live stream keeps; older ones are dropped by Redis. */
const STREAM_ENTRIES_MAX = 5_000

/**
 * Changes a record that still has the status that was read: another worker may have ended the job
 * since. KEYS: record, stream, history, fence. Arguments: that status; the time at which the record
 * must have been changed last, or ''; the field for the time of the new status, or '', and that
 * time; for how long (ms) the record is kept, or '' for ever; the event of the status; fields and
 * values.
 */
const UPDATE_RECORD = redisScript(`
  if redis.call('HGET', KEYS[1], 'status') ~= args[1] then return 0 end
  if args[2] ~= '' and redis.call('HGET', KEYS[1], 'updatedAtMs') ~= args[2] then return 0 end
  redis.call('HSET', KEYS[1], unpack(args, 7))
  if args[3] == '' then return 1 end
  redis.call('HSETNX', KEYS[1], args[3], args[4])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${STREAM_ENTRIES_MAX}, '*', 'event', args[6])
  for _, key in ipairs(KEYS) do
    if args[5] == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, args[5]) end
  end
  return 1`)

/**
 * KEYS: record, stream, fence, history, list of jobs, tenants. Arguments: the job's id; when it was
 * created; the tenant, or '' for the default one; fields and values.
 */
const CREATE_RECORD = redisScript(`
  redis.call('ZADD', KEYS[5], args[2], args[1]) -- first: a full Redis refuses it, before any DEL
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], unpack(args, 4))
  redis.call('PERSIST', KEYS[3])
  redis.call('PERSIST', KEYS[4])
  if args[3] ~= '' then redis.call('SADD', KEYS[6], args[3]) end`)

// A client that loses its connection repeats the commands that were not answered: an event equal to
// the last one of the stream is such a repetition, and is dropped.
const PUBLISH_EVENT = redisScript(`
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last and last[2][2] == args[1] then return end
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${STREAM_ENTRIES_MAX}, '*', 'event', args[1])`)
const PUBLISH_CANCEL = redisScript("redis.call('PUBLISH', KEYS[1], args[1])")
const APPEND_ENTRY = redisScript(`
  if redis.call('LINDEX', KEYS[1], -1) == args[1] then return end
  redis.call('RPUSH', KEYS[1], args[1])
  redis.call('LTRIM', KEYS[1], -${HISTORY_ENTRIES_MAX}, -1)`)
/**
 * Counts the fences of a job. The counter may be lost with Redis: the caller gives the highest
 * fence in storage as its floor, so that no two attempts write below the same prefix.
 */
const NEXT_FENCE = redisScript(`
  local counted = tonumber(redis.call('GET', KEYS[1]) or '0')
  local fence = math.max(counted, tonumber(args[1])) + 1
  redis.call('SET', KEYS[1], fence, 'KEEPTTL')
  return fence`)

/** Replaces the last entry if it is still the one that was read: another may have been added. */
const REPLACE_LAST = redisScript(`
  local last = redis.call('LINDEX', KEYS[1], -1)
  if last == args[2] then return 1 end
  if last ~= args[1] then return 0 end
  redis.call('LSET', KEYS[1], -1, args[2])
  return 1`)

/**
 * The job store in Redis. Under `<prefix>:`: hash `job:<id>` (a record, one JSON value a field),
 * sorted set `jobs` (ids by creation; `jobs:<tenant>` of every other tenant than the default one,
 * whose names are in the set `tenants`), stream `events:<id>`, list `history:<id>`, counter
 * `fence:<id>`, channel `cancel`. All of an ended job expires after `keptMs`. A job that starts
 * again gets a new record and stream, and keeps history and fence.
 */
export class RedisJobStore implements JobStore {
  private readonly commands: RedisCommands
  private readonly keptMs: number
  private readonly clock: Clock

  constructor(commands: RedisCommands, options: { keptMs: number; clock: Clock }) {
    this.commands = commands
    this.keptMs = options.keptMs
    this.clock = options.clock
  }

  async create(record: JobRecord, options: CallOptions): Promise<void> {
    const { reachedAtMs, ...fields } = record
    const { jobId, tenant, createdAtMs } = record
    const { prefix } = this.commands
    const reached = Object.entries(reachedAtMs).map(([name, atMs]) => [reachedField(name), atMs])
    const hash = encodeFields({ ...fields, ...Object.fromEntries(reached) })
    const own = ['job', 'events', 'fence', 'history'].map((kind) => this.key(kind, jobId))
    const keys = [...own, indexKey(prefix, tenant), tenantsKey(prefix)]
    const named = tenant === DEFAULT_TENANT ? '' : tenant
    const args = [jobId, createdAtMs, named, ...Object.entries(hash).flat()]
    await this.commands.write(CREATE_RECORD, { keys, args }, options)
  }

  async update(
    jobId: string,
    changes: RecordChanges,
    { ifUpdatedAtMs, signal }: CallOptions & { ifUpdatedAtMs?: number },
  ): Promise<void> {
    const { status: next, error = null } = changes
    const keys = ['job', 'events', 'history', 'fence'].map((kind) => this.key(kind, jobId))
    const updatedAt = ifUpdatedAtMs === undefined ? '' : String(ifUpdatedAtMs)
    const event: JobEvent | null = next ? { type: 'status', status: next, error } : null
    for (;;) {
      const [current = null, changedAt] = await this.commands.read(
        (redis) => redis.hmget(keys[0] as string, 'status', 'updatedAtMs'),
        { signal },
      )
      if (current === null || (updatedAt !== '' && changedAt !== updatedAt)) return
      if (next && !mayFollow(jsonValue(current) as JobStatus, next)) return
      const nowMs = this.clock.wallMs()
      const waiting = next ? { waiting: null } : {}
      const fields = encodeFields({ ...waiting, ...changes, updatedAtMs: nowMs })
      const reached = next ? [reachedField(next), nowMs] : ['', '']
      const keptMs = next && isFinal(next) ? this.keptMs : ''
      const head = [current, updatedAt, ...reached, keptMs, JSON.stringify(event)]
      const args = [...head, ...Object.entries(fields).flat()]
      if (await this.commands.write(UPDATE_RECORD, { keys, args }, { signal })) return
    }
  }

  async get(jobId: string, options: CallOptions): Promise<JobRecord | null> {
    const key = this.key('job', jobId)
    return decodeRecord(await this.commands.read((redis) => redis.hgetall(key), options))
  }

  openIds(options: CallOptions): AsyncIterable<string> {
    return openIds(this.commands, options)
  }

  async list(
    { tenant, limit }: { tenant: string; limit: number },
    options: CallOptions,
  ): Promise<JobRecord[]> {
    const { commands } = this
    const index = indexKey(commands.prefix, tenant)
    const ids = await commands.read(
      (redis) => redis.zrange(index, '0', String(limit - 1), 'REV'),
      options,
    )
    const hashes = (await commands.readAll((read) => {
      for (const id of ids) read.hgetall(this.key('job', id))
      return read
    }, options)) as Record<string, string>[]
    // Only jobs without a record are removed: one that can't be read may be another release's.
    const gone = ids.filter((_, at) => Object.keys(hashes[at] ?? {}).length === 0)
    for (const jobId of gone) await this.forget(jobId, tenant, options)
    return hashes.map((hash) => decodeRecord(hash)).filter((record) => record !== null)
  }

  /** Removes a job from its list. Where Redis takes no writes now, housekeeping does it later. */
  private async forget(jobId: string, tenant: string, options: CallOptions): Promise<void> {
    try {
      await removeForgotten(this.commands, { jobId, tenant }, options)
    } catch {
      // Any error but a stop is ignored: the entry of a job without record does no harm.
      options.signal.throwIfAborted()
    }
  }

  async appendHistory(jobId: string, entry: JobHistoryEntry, options: CallOptions): Promise<void> {
    const { commands } = this
    const keys = [this.key('history', jobId)]
    const dated = (what: JobHistoryEntry) => {
      return JSON.stringify({ atMs: this.clock.wallMs(), entry: what })
    }
    const [lastJson = ''] = await commands.read(
      (redis) => redis.lrange(keys[0] as string, -1, -1),
      options,
    )
    const [last = null] = decodeHistory([lastJson])
    const merged = mergedEntry(last?.entry ?? null, entry)
    if (merged) {
      const args = [lastJson, dated(merged)]
      if (await commands.write(REPLACE_LAST, { keys, args }, options)) return
    }
    await commands.write(APPEND_ENTRY, { keys, args: [dated(entry)] }, options)
  }

  async history(jobId: string, options: CallOptions): Promise<DatedHistoryEntry[]> {
    const key = this.key('history', jobId)
    return decodeHistory(await this.commands.read((redis) => redis.lrange(key, 0, -1), options))
  }

  async publish(jobId: string, event: JobEvent, options: CallOptions): Promise<void> {
    const call = { keys: [this.key('events', jobId)], args: [JSON.stringify(event)] }
    await this.commands.write(PUBLISH_EVENT, call, options)
  }

  async events(
    jobId: string,
    { afterId, limit }: { afterId: string; limit: number },
    options: CallOptions,
  ): Promise<StreamedEvent[]> {
    const from = afterId === '0' ? '-' : `(${afterId}`
    const key = this.key('events', jobId)
    const entries = await this.commands.read(
      (redis) => redis.xrange(key, from, '+', 'COUNT', limit),
      options,
    )
    return entries.flatMap(([id, fields]) => {
      const event = decodeEvent(fields[1] ?? 'null')
      return event ? [{ id, atMs: Number(id.split('-')[0]), event }] : []
    })
  }

  async requestCancel(jobId: string, options: CallOptions): Promise<void> {
    await this.update(jobId, { cancelRequested: true }, options)
    const call = { keys: [this.commands.key('cancel')], args: [jobId] }
    await this.commands.write(PUBLISH_CANCEL, call, options)
  }

  async onCancel(listener: (jobId: string) => void, { signal }: CallOptions): Promise<void> {
    const subscriber = this.commands.redis.duplicate()
    // Errors are ignored here: the main connection reports the same outage.
    subscriber.on('error', () => {})
    subscriber.on('message', (_channel, jobId: string) => listener(jobId))
    signal.addEventListener('abort', () => subscriber.disconnect(), { once: true })
    const subscribe = () => subscriber.subscribe(this.commands.key('cancel'))
    try {
      await this.commands.inTime(subscribe, { signal })
    } catch (error) {
      // A failed subscription is closed: if it succeeded later, a caller that has subscribed again
      // would be told of every cancel request twice.
      subscriber.disconnect()
      throw error
    }
  }

  async nextFence(jobId: string, floor: number, options: CallOptions): Promise<number> {
    const call = { keys: [this.key('fence', jobId)], args: [floor] }
    return Number(await this.commands.write(NEXT_FENCE, call, options))
  }

  private key(kind: string, jobId: string): string {
    return this.commands.key(kind, jobId)
  }
}
