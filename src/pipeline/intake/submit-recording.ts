import type { CallOptions } from '../../kernel/abort.js'
import { isoTime, sleepFor } from '../../kernel/clock.js'
import { InputError } from '../../kernel/errors.js'
import { isFinal } from '../../queue/contract/job-status.js'
import type { SubmissionOptions } from '../../queue/contract/submission-options.js'
import type { JobRecord } from '../../queue/index.js'
import type { JobDocument } from '../../storage/documents/job-document.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import { writeJson } from '../../storage/documents/stored-json.js'
import type { ObjectHead } from '../../storage/index.js'
import { jobKey } from '../../storage/keys.js'
import type { IntakePorts } from '../index.js'
import { clearFailures } from '../lifecycle/failure-record.js'
import { blankRecord, completedBy, newRecord } from '../lifecycle/record-of-job.js'
import { readManifest } from '../result/commit-result.js'
import { jobIdOf } from './job-id.js'
import { sourceOf } from './source-address.js'

/** What a user wants to have transcribed, and how. */
export interface Submission extends SubmissionOptions {
  bucket: string
  /** Key in that bucket, see `sourceAddress`. */
  key: string
  /** How the recording is called in front of people; the key by default. */
  name?: string
}

/** What became of a submission. */
export type SubmitOutcome =
  | { kind: 'queued'; jobId: string }
  /** The same recording with the same options is under way. */
  | { kind: 'running'; jobId: string; record: JobRecord }
  | { kind: 'done'; jobId: string; manifest: ManifestDocument }

/**
 * Makes a job of a recording, once: the same object with the same options is the same job. One that
 * failed or was canceled starts again; one that is done answers with its manifest.
 *
 * @throws InputError where there is no such object, or no right to read it
 */
export async function submitRecording(
  ports: IntakePorts,
  submission: Submission,
  options: { signal: AbortSignal },
): Promise<SubmitOutcome> {
  const head = await sourceHead(ports, submission, options)
  const { channels, bucket, tenant } = submission
  const { key, etag, versionId } = head
  const jobId = jobIdOf({ tenant, bucket, key, versionId, etag, channels })
  const standing = await ports.jobStore.get(jobId, options)
  if (standing && !isFinal(standing.status) && (await ports.queue.has(jobId, options))) {
    return { kind: 'running', jobId, record: standing }
  }
  // Only then: what was done has its manifest before it leaves the queue.
  await untilGone(ports, jobId, options)
  const manifest = await readManifest(ports.store, jobId, options)
  if (manifest) {
    await completedRecord(ports, { submission, jobId, manifest }, options)
    return { kind: 'done', jobId, manifest }
  }
  const attempt = await clearFailures(ports, jobId, options)
  // Before the queue: what Redis forgets is found again in storage.
  const document = jobDocument(ports, submission, jobId, head)
  await writeJson(ports.store, jobKey(jobId), document, options)
  await startJob(ports, document, { why: 'submitted', attempt, ...options })
  return { kind: 'queued', jobId }
}

/** How a job starts. */
export interface StartOptions extends CallOptions {
  /** Reason for the entry in the job's history. */
  why: 'submitted' | 'retried' | 'found'
  /** Number of the job's last attempt as storage knows it; 0 for none. */
  attempt: number
}

/**
 * Puts a job that has its document before the workers, with a fresh record. What storage has of it
 * stays.
 *
 */
export async function startJob(
  ports: IntakePorts,
  document: JobDocument,
  { why, attempt, signal }: StartOptions,
): Promise<void> {
  const { job_id: jobId, options } = document
  const ended = await ports.jobStore.get(jobId, { signal })
  await ports.jobStore.create(
    {
      ...newRecord(document, ports.clock.wallMs()),
      checkpointedAudioMs: ended?.checkpointedAudioMs ?? 0,
      attempt: Math.max(attempt, ended?.attempt ?? 0),
    },
    { signal },
  )
  await ports.jobStore.appendHistory(jobId, { kind: why }, { signal })
  await ports.queue.enqueue('analyse', jobId, { priority: options.priority, signal })
}

/** A job that has ended leaves the queue within this, or its worker died at that very moment. */
const LEAVE_TIMEOUT_MS = 3_000
const LEAVE_POLL_MS = 20

/**
 * What has just failed may stand in the queue for another moment, and while it does nothing can be
 * queued under its id. An entry that stays is one of a dead worker: it runs by itself.
 */
export async function untilGone(
  ports: IntakePorts,
  jobId: string,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const dueMs = ports.clock.monotonicMs() + LEAVE_TIMEOUT_MS
  while ((await ports.queue.has(jobId, { signal })) && ports.clock.monotonicMs() < dueMs) {
    await sleepFor(ports.clock, LEAVE_POLL_MS, { signal })
  }
}

async function sourceHead(
  ports: IntakePorts,
  submission: Submission,
  options: { signal: AbortSignal },
): Promise<ObjectHead> {
  const store = await sourceOf(ports, submission.bucket)
  const head = await store.head(submission.key, options)
  if (head.bytes > 0) return head
  throw new InputError(
    'media_corrupt',
    `${submission.name ?? submission.key} is empty (0 bytes); upload it again.`,
  )
}

function jobDocument(
  ports: IntakePorts,
  submission: Submission,
  jobId: string,
  head: ObjectHead,
): JobDocument {
  return {
    schema: 'nightscribe.job/1',
    job_id: jobId,
    tenant: submission.tenant,
    created_at: isoTime(ports.clock.wallMs()),
    name: submission.name ?? head.key,
    source: {
      bucket: submission.bucket,
      key: head.key,
      version_id: head.versionId,
      etag: head.etag,
      bytes: head.bytes,
    },
    options: {
      channels: submission.channels,
      pace: submission.pace,
      priority: submission.priority,
      deadline_at: submission.deadlineAt,
    },
  }
}

/** A job that was done long ago may have lost its record: a new one lets people see the job. */
async function completedRecord(
  ports: IntakePorts,
  done: { submission: Submission; jobId: string; manifest: ManifestDocument },
  options: CallOptions,
): Promise<void> {
  const { submission, jobId, manifest } = done
  if (await ports.jobStore.get(jobId, options)) return
  const { name: sourceName = submission.key, tenant, priority, deadlineAt } = submission
  const completedAtMs = Date.parse(manifest.completed_at)
  const standing = { priority, deadlineAt, createdAtMs: completedAtMs }
  const record = {
    ...blankRecord({ jobId, tenant, sourceName, ...standing }, ports.clock.wallMs()),
    ...completedBy(manifest, null),
    reachedAtMs: { completed: completedAtMs },
  }
  await ports.jobStore.create(record, options)
}
