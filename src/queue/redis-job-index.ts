import type { CallOptions } from '../kernel/abort.js'
import { DEFAULT_TENANT } from '../kernel/tenant.js'
import type { RedisCommands } from '../redis/redis-commands.js'
import { redisScript } from '../redis/redis-script.js'
import { isFinal, type JobStatus } from './contract/job-status.js'
import { jsonValue } from './contract/json-value.js'

/** Entries of a list that Redis scans in one call. */
const SCAN_COUNT = 500

const REMOVE_WITHOUT_RECORD = redisScript(`
  if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
  return redis.call('ZREM', KEYS[1], args[1])`)

/** A job in the list of its tenant. */
export interface ListedJob {
  jobId: string
  tenant: string
  createdMs: number
}

/** Redis key of the list of a tenant's jobs; that of the default tenant contains no name. */
export function indexKey(prefix: string, tenant: string): string {
  return tenant === DEFAULT_TENANT ? `${prefix}:jobs` : `${prefix}:jobs:${tenant}`
}

/** Redis key of the set with the names of all tenants but the default one. */
export function tenantsKey(prefix: string): string {
  return `${prefix}:tenants`
}

/**
 * Jobs that are in a list and have no record any more: records of ended jobs expire, and their
 * entries in the list do not.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function* forgottenJobs(
  commands: RedisCommands,
  options: CallOptions,
): AsyncGenerator<ListedJob, void, void> {
  for await (const { status, ...job } of listedJobs(commands, options)) {
    if (status === null) yield job
  }
}

/**
 * Ids of jobs that have not ended by their records, in no order; an id may come twice.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function* openIds(
  commands: RedisCommands,
  options: CallOptions,
): AsyncGenerator<string, void, void> {
  for await (const { jobId, status } of listedJobs(commands, options)) {
    if (status !== null && !isFinal(status)) yield jobId
  }
}

/** The jobs in the lists of all tenants; `status` is null where a job has no record. */
async function* listedJobs(
  commands: RedisCommands,
  options: CallOptions,
): AsyncGenerator<ListedJob & { status: JobStatus | null }, void, void> {
  const key = tenantsKey(commands.prefix)
  const others = await commands.read((redis) => redis.smembers(key), options)
  for (const tenant of [DEFAULT_TENANT, ...others]) yield* jobsOf(tenant, commands, options)
}

async function* jobsOf(
  tenant: string,
  commands: RedisCommands,
  options: CallOptions,
): AsyncGenerator<ListedJob & { status: JobStatus | null }, void, void> {
  for (let cursor = '0'; ; ) {
    const [next, pairs] = await commands.read(
      (redis) => redis.zscan(indexKey(commands.prefix, tenant), cursor, 'COUNT', SCAN_COUNT),
      options,
    )
    const statuses = await commands.readAll((read) => {
      for (let at = 0; at < pairs.length; at += 2) {
        read.hget(commands.key('job', pairs[at] as string), 'status')
      }
      return read
    }, options)
    for (const [index, status] of statuses.entries()) {
      const [jobId = '', createdMs] = pairs.slice(index * 2)
      yield {
        ...{ jobId, tenant, createdMs: Number(createdMs) },
        status: typeof status === 'string' ? (jsonValue(status) as JobStatus) : null,
      }
    }
    if (next === '0') return
    cursor = next
  }
}

/** Removes a job from its list, unless it has a record again. @throws UpstreamError */
export async function removeForgotten(
  commands: RedisCommands,
  { jobId, tenant }: Pick<ListedJob, 'jobId' | 'tenant'>,
  options: CallOptions,
): Promise<void> {
  const keys = [indexKey(commands.prefix, tenant), commands.key('job', jobId)]
  await commands.write(REMOVE_WITHOUT_RECORD, { keys, args: [jobId] }, options)
}
