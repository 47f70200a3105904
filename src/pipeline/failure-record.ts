import type { Clock } from '../kernel/clock.js'
import { isoTime } from '../kernel/clock.js'
import type { ErrorCode } from '../kernel/errors.js'
import type { ObjectStore } from '../storage/index.js'
import { failureKey, jobPrefix } from '../storage/keys.js'
import { writeJson } from '../storage/stored-json.js'

/**
 * Writes down in storage that a job has ended without a transcript, so that nobody starts it again
 * unasked when Redis has forgotten it. `jobs retry` or a new submission removes it.
 */
export async function recordFailure(
  ports: { store: ObjectStore; clock: Clock },
  job: { jobId: string; fence: number; code: ErrorCode; detail: string },
  options: { signal: AbortSignal },
): Promise<void> {
  const record = {
    schema: 'nightscribe.failure/1',
    job_id: job.jobId,
    fence: job.fence,
    failed_at: isoTime(ports.clock.wallMs()),
    code: job.code,
    detail: job.detail,
  }
  await writeJson(ports.store, failureKey(job.jobId, job.fence), record, options)
}

/** Removes every such record of a job that shall run again. */
export async function clearFailures(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<void> {
  for await (const { key } of store.list(jobPrefix(jobId), options)) {
    if (key.endsWith('/failure.json')) await store.delete(key, options)
  }
}
