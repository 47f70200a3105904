import type { Redis } from 'ioredis'
import { reasonOf, UpstreamError } from '../kernel/errors.js'
import { DEFAULT_TENANT } from '../kernel/tenant.js'
import { isFinal, type JobStatus } from './contract/job-status.js'
import { jsonValue } from './contract/json-value.js'

/** Entries that Redis looks at for one answer. */
const SCAN_COUNT = 500

const REMOVE_WITHOUT_RECORD = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])`

/** Where a job store keeps its entries; the same as of `RedisJobStore`. */
export interface JobStorePlace {
  redis: Redis
  prefix: string
}

/** A job in the list of its tenant. */
export interface ListedJob {
  jobId: string
  tenant: string
  createdMs: number
}

/** The list of a tenant's jobs; that of the default one has no name in it. */
export function indexKey(prefix: string, tenant: string): string {
  return tenant === DEFAULT_TENANT ? `${prefix}:jobs` : `${prefix}:jobs:${tenant}`
}

/** Names of all tenants but the default one. */
export function tenantsKey(prefix: string): string {
  return `${prefix}:tenants`
}

/**
 * Jobs that stand in the list and have no record any more: the records of ended jobs expire, and
 * only those among the newest are missed when somebody lists.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function* forgottenJobs(
  place: JobStorePlace,
  options: { signal: AbortSignal },
): AsyncGenerator<ListedJob, void, void> {
  for await (const { status, ...job } of listedJobs(place, options)) {
    if (status === null) yield job
  }
}

/**
 * Jobs whose records say that they have not ended, in no order; some twice.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function* openIds(
  place: JobStorePlace,
  options: { signal: AbortSignal },
): AsyncGenerator<string, void, void> {
  for await (const { jobId, status } of listedJobs(place, options)) {
    if (status !== null && !isFinal(status)) yield jobId
  }
}

/** All that stand in the lists of all tenants; `status` is null where there is no record. */
async function* listedJobs(
  place: JobStorePlace,
  options: { signal: AbortSignal },
): AsyncGenerator<ListedJob & { status: JobStatus | null }, void, void> {
  const others = await guarded(() => place.redis.smembers(tenantsKey(place.prefix)))
  for (const tenant of [DEFAULT_TENANT, ...others]) yield* jobsOf(tenant, place, options)
}

async function* jobsOf(
  tenant: string,
  { redis, prefix }: JobStorePlace,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<ListedJob & { status: JobStatus | null }, void, void> {
  for (let cursor = '0'; ; ) {
    signal.throwIfAborted()
    const [next, pairs] = await guarded(() =>
      redis.zscan(indexKey(prefix, tenant), cursor, 'COUNT', SCAN_COUNT),
    )
    const read = redis.pipeline()
    for (let index = 0; index < pairs.length; index += 2)
      read.hget(`${prefix}:job:${pairs[index]}`, 'status')
    const answers = (await guarded(() => read.exec())) ?? []
    for (const [index, [error, status]] of answers.entries()) {
      const [jobId = '', createdMs] = pairs.slice(index * 2)
      if (error) continue
      yield {
        ...{ jobId, tenant, createdMs: Number(createdMs) },
        status: typeof status === 'string' ? (jsonValue(status) as JobStatus) : null,
      }
    }
    if (next === '0') return
    cursor = next
  }
}

/** Takes one out of its list, unless it has a record again. @throws UpstreamError */
export async function removeForgotten(
  { redis, prefix }: JobStorePlace,
  { jobId, tenant }: Pick<ListedJob, 'jobId' | 'tenant'>,
): Promise<void> {
  const keys = [indexKey(prefix, tenant), `${prefix}:job:${jobId}`] as const
  await guarded(() => redis.eval(REMOVE_WITHOUT_RECORD, 2, ...keys, jobId))
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new UpstreamError('queue_unavailable', `Redis failed: ${reasonOf(cause)}.`, { cause })
  }
}
