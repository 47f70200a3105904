import { ProtocolError } from '../kernel/errors.js'
import type { JobCard } from '../queue/index.js'
import { jobDocument } from '../storage/job-document.js'
import { jobKey } from '../storage/keys.js'
import { readJson } from '../storage/stored-json.js'
import { nextFence } from './attempt-fence.js'
import { type FinalEnd, recordFailure } from './failure-record.js'
import { isJobId } from './housekeeping.js'
import type { IntakePorts } from './index.js'
import { startJob } from './submit-recording.js'

/**
 * Queues again what the queue has lost: jobs in storage without a manifest and without a record of
 * their failure. Redis with AOF every second can forget the newest ones. Of those that ended while
 * storage was away the record is written now.
 *
 * @param options.onUnreadable told of a job whose document is not ours to read; the others go on
 * @returns the ids of the jobs that were queued again
 */
export async function reconcileJobs(
  ports: IntakePorts,
  options: { signal: AbortSignal; onUnreadable?: (error: ProtocolError) => void },
): Promise<string[]> {
  const queued: string[] = []
  for await (const jobId of openJobs(ports, options)) {
    try {
      if (await queueAgain(ports, jobId, options)) queued.push(jobId)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      // A folder of somebody else's in the same bucket is none of ours.
      if (isJobId(jobId)) options.onUnreadable?.(error)
    }
  }
  return queued
}

async function queueAgain(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  if (await ports.queue.has(jobId)) return false
  if (await recordLateEnd(ports, jobId, options)) return false
  const document = await readJson(ports.store, jobKey(jobId), jobDocument, options)
  if (!document) return false
  await startJob(ports, document, { why: 'found', ...options })
  return true
}

/** Writes down how a job ended while storage took nothing; false where it hasn't ended. */
async function recordLateEnd(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  const card = await ports.board.get(jobId)
  const end = card && endOf(card)
  if (!end) return false
  const fence = card.fence ?? (await nextFence(ports, jobId, options))
  await recordFailure(ports, { jobId, fence, end }, options)
  return true
}

function endOf({ status, error, triesSinceProgress: tries, ...card }: JobCard): FinalEnd | null {
  if (status === 'canceled' || card.cancelRequested) return { kind: 'canceled' }
  return status === 'failed' && error ? { kind: 'failed', error, tries } : null
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
