import { abortedWithin, type CallOptions } from '../../kernel/abort.js'
import { InputError, NightscribeError } from '../../kernel/errors.js'
import { isFinal } from '../../queue/contract/job-status.js'
import type { AttemptEnd, JobRecord, RecordChanges } from '../../queue/index.js'
import type { FailureDocument } from '../../storage/documents/failure-document.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { IntakePorts } from '../index.js'
import { readJobDocument } from '../intake/read-job.js'
import { startJob, untilGone } from '../intake/submit-recording.js'
import { readManifest } from '../result/commit-result.js'
import { nextFence } from './attempt-fence.js'
import { clearFailures, type FinalEnd, failedJobs, recordFailure } from './failure-record.js'
import { completedBy } from './record-of-job.js'

/** Time limit, in ms, for storing how a job ended. */
const RECORD_TIMEOUT_MS = 30_000

/** What a cancel request led to. */
export type CancelOutcome =
  /** The job was waiting, and will not start. */
  | 'canceled'
  /** A worker runs the job and was told to stop it. */
  | 'requested'
  /** The job had ended before, so nothing was canceled. */
  | 'ended'

/** Cancels a job, whether it waits or runs. @throws InputError `job_not_found` */
export async function cancelJob(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<CancelOutcome> {
  const record = await recordOf(ports, jobId, options)
  if (isFinal(record.status)) return 'ended'
  await ports.jobStore.requestCancel(jobId, options)
  // A job that can't be removed but is in the queue is run by a worker, which ends it. One that the
  // queue has lost runs on no worker, and is ended here.
  const isTaken =
    !(await ports.queue.remove(jobId, options)) && (await ports.queue.has(jobId, options))
  if (isTaken) return 'requested'
  // Ended after it has left the queue: a job that completes stores its manifest before.
  const isCanceled = await endJob(ports, { jobId, record, end: { kind: 'canceled' } }, options)
  return isCanceled ? 'canceled' : 'ended'
}

/**
 * Starts a job again that ended without a transcript. It keeps its analysis, its decoded
 * audio and its checkpoints, so that it continues where it was.
 *
 * @throws InputError `job_not_found`; `input_unsupported` for a job that runs or is completed
 */
export async function retryJob(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<void> {
  const document = await readJobDocument(ports.store, jobId, options)
  if (!document) throw notFound(jobId)
  const record = await ports.jobStore.get(jobId, options)
  if (record && !isFinal(record.status) && (await ports.queue.has(jobId, options))) {
    throw new InputError(
      'input_unsupported',
      `Job ${jobId} is ${record.status}; it needs no retry.`,
    )
  }
  // The manifest is read after the job has left the queue: a job that completes stores it before.
  await untilGone(ports, jobId, options)
  if (await readManifest(ports.store, jobId, options)) {
    throw new InputError('input_unsupported', `Job ${jobId} is done; there is nothing to retry.`)
  }
  const attempt = await clearFailures(ports, jobId, options)
  await startJob(ports, document, { why: 'retried', attempt, ...options })
}

/**
 * Starts every dead letter again: jobs that failed too often for an engine, storage or a worker.
 * Jobs with a wrong recording and canceled jobs are left alone.
 *
 * @returns ids of the jobs that were started, and of failed jobs for which a retry is no help
 */
export async function retryFailedJobs(
  ports: IntakePorts,
  options: { signal: AbortSignal },
): Promise<{ started: string[]; left: string[] }> {
  const outcome = { started: [] as string[], left: [] as string[] }
  const failed: FailureDocument[] = []
  // The list is read to its end first: a retry removes and adds keys, which would disturb it.
  for await (const record of failedJobs(ports.store, options)) failed.push(record)
  for (const { job_id: jobId, status, retryable } of failed) {
    if (status === 'canceled') continue
    if (!retryable) {
      outcome.left.push(jobId)
      continue
    }
    try {
      await retryJob(ports, jobId, options)
      outcome.started.push(jobId)
    } catch (error) {
      // Done, started or deleted meanwhile: there is nothing to retry, and that is no failure.
      if (!(error instanceof InputError)) throw error
    }
  }
  return outcome
}

/** Writes how an attempt ended into the job store and, where the job ended too, into storage. */
export async function writeEnd(
  ports: IntakePorts,
  jobId: string,
  end: AttemptEnd,
  record: JobRecord | null,
  options: { signal: AbortSignal },
): Promise<void> {
  const { jobStore } = ports
  switch (end.kind) {
    case 'handed-back':
      await jobStore.appendHistory(jobId, { kind: 'handed-back' }, options)
      await jobStore.update(jobId, { status: 'queued' }, options)
      return
    case 'waiting': {
      const { waiting } = end
      // A waiting job asks for admission repeatedly: only the first refusal is a history entry.
      if (!record?.waiting)
        await jobStore.appendHistory(jobId, { kind: 'waiting', reason: waiting.reason }, options)
      await jobStore.update(jobId, { status: 'queued', waiting }, options)
      return
    }
    case 'retrying': {
      const { error, failuresSinceProgress, backoffMs, checkpointedAudioMs } = end
      await jobStore.appendHistory(
        jobId,
        {
          kind: 'attempt-failed',
          ...{ error, failuresSinceProgress, backoffMs, checkpointedAudioMs },
        },
        options,
      )
      await jobStore.update(jobId, { status: 'queued', error, failuresSinceProgress }, options)
      return
    }
    case 'failed':
    case 'canceled':
      await endJob(ports, { jobId, record, end }, options)
  }
}

/**
 * Ends a job without a transcript, unless storage has its manifest: Redis may have lost that the
 * job is completed, and a transcript must not be hidden by a cancel or a failure.
 * @returns false where the job is completed
 */
async function endJob(
  ports: IntakePorts,
  job: { jobId: string; record: JobRecord | null; end: FinalEnd },
  options: { signal: AbortSignal },
): Promise<boolean> {
  const { jobStore } = ports
  const { jobId, record, end } = job
  const manifest = await recordEnd(ports, job, options)
  if (manifest) {
    await jobStore.update(jobId, completedBy(manifest, record), options)
  } else {
    await jobStore.appendHistory(jobId, end, options)
    await jobStore.update(jobId, recordEndOf(end), options)
  }
  // Removed from the queue for admission: jobs behind it would wait for a job that never runs.
  await ports.waiting.remove(jobId, options)
  return manifest === null
}

function recordEndOf(end: FinalEnd): RecordChanges {
  if (end.kind === 'canceled') return { status: 'canceled', error: null }
  const { error, failuresSinceProgress } = end
  return { status: 'failed', error, failuresSinceProgress }
}

/**
 * Stores `failure.json`, unless the job has a manifest. A storage that refuses must not keep the
 * job from ending: the job record tells how it ended, and `reconcileJobs` writes the file from it
 * once storage is back.
 * @returns the manifest where the job has one
 */
async function recordEnd(
  ports: IntakePorts,
  job: { jobId: string; record: JobRecord | null; end: FinalEnd },
  { signal }: { signal: AbortSignal },
): Promise<ManifestDocument | null> {
  const options = { signal: abortedWithin(RECORD_TIMEOUT_MS, signal) }
  const { jobId, record, end } = job
  try {
    const manifest = await readManifest(ports.store, jobId, options)
    if (manifest) return manifest
    const fence = record?.fence ?? (await nextFence(ports, jobId, options))
    const attempt = record?.attempt ?? 0
    await recordFailure(ports, { jobId, attempt, fence, end }, options)
  } catch (error) {
    signal.throwIfAborted()
    const isStorage = error instanceof NightscribeError && error.code !== 'queue_unavailable'
    if (!isStorage && !options.signal.aborted) throw error
  }
  return null
}

async function recordOf(
  ports: IntakePorts,
  jobId: string,
  options: CallOptions,
): Promise<JobRecord> {
  const record = await ports.jobStore.get(jobId, options)
  if (!record) throw notFound(jobId)
  return record
}

function notFound(jobId: string): InputError {
  return new InputError(
    'job_not_found',
    `There is no job ${jobId}; \`nightscribe jobs\` lists them.`,
  )
}
