import type { Clock } from '../../kernel/clock.js'
import { isoTime } from '../../kernel/clock.js'
import { ProtocolError } from '../../kernel/errors.js'
import { adviceOn, retryHelps } from '../../queue/contract/failure-codes.js'
import type { AttemptEnd, JobStore } from '../../queue/index.js'
import { type FailureDocument, failureDocument } from '../../storage/documents/failure-document.js'
import { readJson, writeJson } from '../../storage/documents/stored-json.js'
import type { ObjectStore } from '../../storage/index.js'
import { failureKey, fenceOfKey, jobPrefix } from '../../storage/keys.js'

/** Outcomes of an attempt that end the job without a transcript. */
export type FinalEnd = Extract<AttemptEnd, { kind: 'failed' | 'canceled' }>

/**
 * Writes into storage that a job has ended without a transcript, so that no worker starts it again
 * unasked when Redis has forgotten it. Its checkpoints and its decoded audio stay.
 */
export async function recordFailure(
  ports: { store: ObjectStore; clock: Clock },
  job: { jobId: string; attempt: number; fence: number; end: FinalEnd },
  options: { signal: AbortSignal },
): Promise<void> {
  const { jobId, attempt, fence, end } = job
  const error = end.kind === 'failed' ? end.error : null
  const code = error?.code ?? 'canceled'
  const failures = end.kind === 'failed' ? end.failuresSinceProgress : null
  const record: FailureDocument = {
    schema: 'nightscribe.failure/1',
    job_id: jobId,
    fence,
    attempt,
    failed_at: isoTime(ports.clock.wallMs()),
    status: end.kind,
    code,
    detail: error?.detail ?? 'The job was canceled.',
    stage: error?.stage ?? null,
    failures_since_progress: failures,
    tries: failures,
    retryable: error?.retryable ?? false,
    retry_helps: retryHelps(code),
    advice: adviceOn(code, jobId),
  }
  await writeJson(ports.store, failureKey(jobId, fence), record, options)
}

/** How a job ended without a transcript, by its last attempt; null for any other job. */
export async function readFailure(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<FailureDocument | null> {
  let last: FailureDocument | null = null
  for await (const key of failureKeys(store, jobPrefix(jobId), options)) {
    const record = await readJson(store, key, failureDocument, options).catch((error) => {
      // One that is unreadable, of another release, must not hide the others.
      if (error instanceof ProtocolError) return null
      throw error
    })
    if (record && record.fence > (last?.fence ?? 0)) last = record
  }
  return last
}

/** Every job in storage that ended without a transcript, by what its last record says. */
export async function* failedJobs(
  store: ObjectStore,
  options: { signal: AbortSignal },
): AsyncIterable<FailureDocument> {
  let told: string | null = null
  for await (const key of failureKeys(store, 'jobs/', options)) {
    const jobId = key.split('/')[1] ?? ''
    if (jobId === told) continue
    told = jobId
    const record = await readFailure(store, jobId, options)
    if (record) yield record
  }
}

/**
 * Removes all failure records of a job that is to run again, and nothing else. Where Redis has lost
 * its counter of fences, these records may be the only trace of it: the counter is raised to them
 * first, so that no fence is given out twice.
 * @returns number of the last attempt by these records; 0 where there is none
 */
export async function clearFailures(
  ports: { store: ObjectStore; jobStore: JobStore },
  jobId: string,
  options: { signal: AbortSignal },
): Promise<number> {
  const { store, jobStore } = ports
  const keys: string[] = []
  for await (const key of failureKeys(store, jobPrefix(jobId), options)) keys.push(key)
  if (keys.length === 0) return 0
  const last = await readFailure(store, jobId, options)
  const highest = Math.max(...keys.map((key) => fenceOfKey(key) ?? 0))
  if (!(await jobStore.get(jobId, options))) await jobStore.nextFence(jobId, highest - 1, options)
  for (const key of keys) await store.delete(key, options)
  return last?.attempt ?? last?.fence ?? 0
}

async function* failureKeys(
  store: ObjectStore,
  prefix: string,
  options: { signal: AbortSignal },
): AsyncIterable<string> {
  for await (const { key } of store.list(prefix, options)) {
    if (key.endsWith('/failure.json')) yield key
  }
}
