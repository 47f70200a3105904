import { ProtocolError } from '../../kernel/errors.js'
import type { JobRecord } from '../../queue/index.js'
import { isJobId } from '../../storage/keys.js'
import type { IntakePorts } from '../index.js'
import { readJobDocument } from '../intake/read-job.js'
import { startJob } from '../intake/submit-recording.js'
import { readManifest } from '../result/commit-result.js'
import { nextFence } from './attempt-fence.js'
import { type FinalEnd, readFailure, recordFailure } from './failure-record.js'
import { completedBy, errorOf } from './record-of-job.js'

/**
 * Queues jobs again that the queue has lost: jobs in storage without a manifest and without
 * `failure.json`. After a crash Redis may lack its last second: the newest jobs, or the last
 * changes of their records. An end that storage knows is written into the job record again, and
 * for jobs that ended while storage was unavailable `failure.json` is written now.
 *
 * @param options.onUnreadable called for a job whose document can't be read; the others go on
 * @returns the ids of the jobs that were queued again
 */
export async function reconcileJobs(
  ports: IntakePorts,
  options: { signal: AbortSignal; onUnreadable?: (error: ProtocolError) => void },
): Promise<string[]> {
  const queued: string[] = []
  const readable = async (jobId: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      // A folder that isn't named by a job id is another program's, and not reported.
      if (isJobId(jobId)) options.onUnreadable?.(error)
    }
  }
  // Jobs with an open record come first: people may wait for them, and listing an archive in
  // storage takes minutes.
  for await (const jobId of ports.jobStore.openIds(options)) {
    await readable(jobId, () => endRecord(ports, jobId, options))
  }
  for await (const jobId of openJobs(ports, options)) {
    await readable(jobId, async () => {
      if (await queueAgain(ports, jobId, options)) queued.push(jobId)
    })
  }
  return queued
}

/** Writes into the record of a job that isn't in the queue how it ended, if storage knows that. */
async function endRecord(
  { jobStore, queue, store }: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<void> {
  const record = await jobStore.get(jobId, options)
  if (!record || (await queue.has(jobId, options))) return
  const manifest = await readManifest(store, jobId, options)
  if (manifest) return await jobStore.update(jobId, completedBy(manifest, record), options)
  const failed = await readFailure(store, jobId, options)
  if (!failed) return
  // Only if the record is unchanged: a job that was started again has a new one by now.
  const { updatedAtMs: ifUpdatedAtMs } = record
  const { status } = failed
  await jobStore.update(jobId, { status, error: errorOf(failed) }, { ifUpdatedAtMs, ...options })
}

async function queueAgain(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  if (await ports.queue.has(jobId, options)) return false
  // A job that left the queue since the keys were listed has its manifest by now.
  if (await readManifest(ports.store, jobId, options)) return false
  if (await recordLateEnd(ports, jobId, options)) return false
  const document = await readJobDocument(ports.store, jobId, options)
  // Another worker that reconciles at the same time may have queued it first.
  if (!document || (await ports.queue.has(jobId, options))) return false
  await startJob(ports, document, { why: 'found', attempt: 0, ...options })
  return true
}

/** Stores how a job ended while storage was unavailable; false where it hasn't ended. */
async function recordLateEnd(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  const record = await ports.jobStore.get(jobId, options)
  const end = record && endOf(record)
  if (!end) return false
  const fence = record.fence ?? (await nextFence(ports, jobId, options))
  await recordFailure(ports, { jobId, attempt: record.attempt, fence, end }, options)
  return true
}

function endOf(record: JobRecord): FinalEnd | null {
  const { status, error, failuresSinceProgress } = record
  if (status === 'canceled' || record.cancelRequested) return { kind: 'canceled' }
  return status === 'failed' && error ? { kind: 'failed', error, failuresSinceProgress } : null
}

/** Ids of jobs that have a document and no end. One pass over the keys, which come in order. */
export async function* openJobs(
  ports: Pick<IntakePorts, 'store'>,
  options: { signal: AbortSignal },
): AsyncIterable<string> {
  let current: string | null = null
  let hasDocument = false
  let hasEnd = false
  for await (const { key } of ports.store.list('jobs/', options)) {
    const [, jobId = '', name = ''] = /^jobs\/([^/]+)\/(.*)$/.exec(key) ?? []
    if (jobId !== current) {
      if (current && hasDocument && !hasEnd) yield current
      current = jobId
      hasDocument = false
      hasEnd = false
    }
    if (name === 'job.json') hasDocument = true
    if (name === 'manifest.json' || name.endsWith('/failure.json')) hasEnd = true
  }
  if (current && hasDocument && !hasEnd) yield current
}
