import type { Redis } from 'ioredis'
import type { Clock } from '../kernel/clock.js'
import { DEFAULT_TENANT } from '../kernel/tenant.js'
import { redisFailure } from '../redis/redis-failure.js'
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
import { indexKey, openIds, removeForgotten, tenantsKey } from './listed-jobs.js'

/** Entries that a job's live stream keeps; older ones are dropped by Redis. */
const STREAM_ENTRIES_MAX = 5_000

/**
 * Only the status that was read: another worker may have ended the job since. ARGV: that status;
 * when the card must have been changed last, or ''; the field of when the new status was reached,
 * or '', and its time; for how long (ms) the card is kept, or '' for ever; fields and values.
 */
const UPDATE_RECORD = `
if redis.call('HGET', KEYS[1], 'status') ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], 'updatedAtMs') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
if ARGV[3] == '' then return 1 end
redis.call('HSETNX', KEYS[1], ARGV[3], ARGV[4])
for _, key in ipairs(KEYS) do
  if ARGV[5] == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[5]) end
end
return 1`

/** Only the entry that was read: another one may have come since. */
const REPLACE_LAST = `
if redis.call('LINDEX', KEYS[1], -1) ~= ARGV[1] then return 0 end
redis.call('LSET', KEYS[1], -1, ARGV[2])
return 1`

/**
 * The job store in Redis. Under `<prefix>:`: hash `job:<id>` (a record, one JSON value a field),
 * sorted set `jobs` (ids by creation; `jobs:<tenant>` of every other tenant than the default one,
 * whose names stand in the set `tenants`), stream `events:<id>`, list `history:<id>`, counter
 * `fence:<id>`,
 * channel `cancel`. All of an ended job expires after `keptMs`. A job that starts again gets a new
 * card and stream, and keeps history and fence.
 */
export class RedisJobStore implements JobStore {
  private readonly redis: Redis
  private readonly prefix: string
  private readonly keptMs: number
  private readonly clock: Clock

  constructor(options: { redis: Redis; prefix: string; keptMs: number; clock: Clock }) {
    this.redis = options.redis
    this.prefix = options.prefix
    this.keptMs = options.keptMs
    this.clock = options.clock
  }

  async create(record: JobRecord): Promise<void> {
    const { reachedAtMs, ...fields } = record
    const reached = Object.entries(reachedAtMs).map(([name, atMs]) => [reachedField(name), atMs])
    await guarded(async () => {
      const key = this.key('job', record.jobId)
      const write = this.redis.multi()
      write.del(key, this.key('events', record.jobId))
      write.hset(key, encodeFields({ ...fields, ...Object.fromEntries(reached) }))
      for (const kind of ['fence', 'history']) write.persist(this.key(kind, record.jobId))
      const { tenant } = record
      if (tenant !== DEFAULT_TENANT) write.sadd(tenantsKey(this.prefix), tenant)
      write.zadd(indexKey(this.prefix, tenant), record.createdAtMs, record.jobId)
      await write.exec()
    })
  }

  async update(
    jobId: string,
    changes: RecordChanges,
    condition: { ifUpdatedAtMs?: number } = {},
  ): Promise<void> {
    const isChanged = await guarded(() => this.changeCard(jobId, changes, condition))
    if (isChanged && changes.status) {
      const { status, error = null } = changes
      await this.publish(jobId, { type: 'status', status, error })
    }
  }

  /** @returns false where the card is gone, its status can't follow, or the condition not met */
  private async changeCard(
    jobId: string,
    changes: RecordChanges,
    { ifUpdatedAtMs }: { ifUpdatedAtMs?: number },
  ): Promise<boolean> {
    const { status: next } = changes
    const keys = ['job', 'events', 'history', 'fence'].map((kind) => this.key(kind, jobId))
    const updatedAt = ifUpdatedAtMs === undefined ? '' : String(ifUpdatedAtMs)
    for (;;) {
      const read = await this.redis.hmget(keys[0] as string, 'status', 'updatedAtMs')
      const [standing = null, changedAt] = read
      if (standing === null || (updatedAt !== '' && changedAt !== updatedAt)) return false
      if (next && !mayFollow(jsonValue(standing) as JobStatus, next)) return false
      const nowMs = this.clock.wallMs()
      const waiting = next ? { waiting: null } : {}
      const fields = encodeFields({ ...waiting, ...changes, updatedAtMs: nowMs })
      const reached = next ? [reachedField(next), nowMs] : ['', '']
      const args = [standing, updatedAt, ...reached, next && isFinal(next) ? this.keptMs : '']
      const written = await this.redis.eval(
        UPDATE_RECORD,
        keys.length,
        ...[...keys, ...args, ...Object.entries(fields).flat()],
      )
      if (written) return true
    }
  }

  async get(jobId: string): Promise<JobRecord | null> {
    return await guarded(async () => decodeRecord(await this.redis.hgetall(this.key('job', jobId))))
  }

  openIds(options: { signal: AbortSignal }): AsyncIterable<string> {
    return openIds(this.place, options)
  }

  async list({ tenant, limit }: { tenant: string; limit: number }): Promise<JobRecord[]> {
    return await guarded(async () => {
      const index = indexKey(this.prefix, tenant)
      const ids = await this.redis.zrange(index, '0', String(limit - 1), 'REV')
      const read = this.redis.pipeline()
      for (const id of ids) read.hgetall(this.key('job', id))
      const hashes = ((await read.exec()) ?? []).map(([, hash]) => hash as Record<string, string>)
      // Of another release a card may be one that we can't read: that one stays.
      const gone = ids.filter((_, index) => Object.keys(hashes[index] ?? {}).length === 0)
      for (const jobId of gone) await removeForgotten(this.place, { jobId, tenant })
      return hashes.map((hash) => decodeRecord(hash ?? {})).filter((record) => record !== null)
    })
  }

  async appendHistory(jobId: string, entry: JobHistoryEntry): Promise<void> {
    await guarded(async () => {
      const key = this.key('history', jobId)
      const dated = (what: JobHistoryEntry) => {
        return JSON.stringify({ atMs: this.clock.wallMs(), entry: what })
      }
      const [lastJson = ''] = await this.redis.lrange(key, -1, -1)
      const [last = null] = decodeHistory([lastJson])
      const merged = mergedEntry(last?.entry ?? null, entry)
      if (merged && (await this.redis.eval(REPLACE_LAST, 1, key, lastJson, dated(merged)))) return
      const write = this.redis.multi()
      write.rpush(key, dated(entry))
      write.ltrim(key, -HISTORY_ENTRIES_MAX, -1)
      await write.exec()
    })
  }

  async history(jobId: string): Promise<DatedHistoryEntry[]> {
    return await guarded(async () =>
      decodeHistory(await this.redis.lrange(this.key('history', jobId), 0, -1)),
    )
  }

  async publish(jobId: string, event: JobEvent): Promise<void> {
    await guarded(() =>
      this.redis.xadd(
        this.key('events', jobId),
        'MAXLEN',
        '~',
        STREAM_ENTRIES_MAX,
        '*',
        'event',
        JSON.stringify(event),
      ),
    )
  }

  async events(
    jobId: string,
    { afterId, limit }: { afterId: string; limit: number },
  ): Promise<StreamedEvent[]> {
    return await guarded(async () => {
      const from = afterId === '0' ? '-' : `(${afterId}`
      const entries = await this.redis.xrange(this.key('events', jobId), from, '+', 'COUNT', limit)
      return entries.flatMap(([id, fields]) => {
        const event = decodeEvent(fields[1] ?? 'null')
        return event ? [{ id, atMs: Number(id.split('-')[0]), event }] : []
      })
    })
  }

  async requestCancel(jobId: string): Promise<void> {
    await this.update(jobId, { cancelRequested: true })
    await guarded(() => this.redis.publish(`${this.prefix}:cancel`, jobId))
  }

  async onCancel(
    listener: (jobId: string) => void,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const subscriber = this.redis.duplicate()
    subscriber.on('error', () => {}) // the main connection reports the same outage
    subscriber.on('message', (_channel, jobId: string) => listener(jobId))
    signal.addEventListener('abort', () => subscriber.disconnect(), { once: true })
    await guarded(() => subscriber.subscribe(`${this.prefix}:cancel`))
  }

  async nextFence(jobId: string, floor: number): Promise<number> {
    return await guarded(async () => {
      const key = this.key('fence', jobId)
      const counted = await this.redis.incr(key)
      if (counted > floor) return counted
      // The counter was lost with Redis: move it past what lies in storage. INCRBY stays atomic.
      return await this.redis.incrby(key, floor - counted + 1)
    })
  }

  private get place() {
    return { redis: this.redis, prefix: this.prefix }
  }

  private key(kind: string, jobId: string): string {
    return `${this.prefix}:${kind}:${jobId}`
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw redisFailure(cause)
  }
}
