import type { Redis } from 'ioredis'
import { reasonOf, UpstreamError } from '../kernel/errors.js'
import { isFinal, type JobStatus } from './index.js'
import { jsonValue } from './json-value.js'

/** Entries that Redis looks at for one answer. */
const SCAN_COUNT = 500

const REMOVE_WITHOUT_CARD = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])`

/** Where a board keeps its entries; the same as of `RedisJobBoard`. */
export interface JobStorePlace {
  redis: Redis
  prefix: string
}

/**
 * Jobs that stand in the board's list and have no card any more: the cards of ended jobs
 * expire, and only those among the newest are missed when somebody lists.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function* forgottenJobs(
  place: JobStorePlace,
  options: { signal: AbortSignal },
): AsyncGenerator<{ jobId: string; createdMs: number }, void, void> {
  for await (const { jobId, createdMs, status } of listedJobs(place, options)) {
    if (status === null) yield { jobId, createdMs }
  }
}

/**
 * Jobs whose cards say that they have not ended, in no order; some twice.
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

/** All that stand in the list; `status` is null where there is no card. */
async function* listedJobs(
  { redis, prefix }: JobStorePlace,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<{ jobId: string; createdMs: number; status: JobStatus | null }, void, void> {
  for (let cursor = '0'; ; ) {
    signal.throwIfAborted()
    const [next, pairs] = await guarded(() =>
      redis.zscan(`${prefix}:jobs`, cursor, 'COUNT', SCAN_COUNT),
    )
    const read = redis.pipeline()
    for (let index = 0; index < pairs.length; index += 2)
      read.hget(`${prefix}:job:${pairs[index]}`, 'status')
    const answers = (await guarded(() => read.exec())) ?? []
    for (const [index, [error, status]] of answers.entries()) {
      const [jobId = '', createdMs] = pairs.slice(index * 2)
      if (error) continue
      yield {
        ...{ jobId, createdMs: Number(createdMs) },
        status: typeof status === 'string' ? (jsonValue(status) as JobStatus) : null,
      }
    }
    if (next === '0') return
    cursor = next
  }
}

/** Takes one out of the list, unless it has a card again. @throws UpstreamError */
export async function removeForgotten(
  { redis, prefix }: JobStorePlace,
  jobId: string,
): Promise<void> {
  const keys = [`${prefix}:jobs`, `${prefix}:job:${jobId}`] as const
  await guarded(() => redis.eval(REMOVE_WITHOUT_CARD, 2, ...keys, jobId))
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new UpstreamError('queue_unavailable', `Redis failed: ${reasonOf(cause)}.`, { cause })
  }
}
