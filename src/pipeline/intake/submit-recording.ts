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
  /** Name of the recording that people see; the key by default. */
  name?: string
}

/** What became of a submission. */
export type SubmitOutcome =
  | { kind: 'queued'; jobId: string }
  /** A job for the same recording with the same options exists and has not ended. */
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
  const current = await ports.jobStore.get(jobId, options)
  if (current && !isFinal(current.status) && (await ports.queue.has(jobId, options))) {
    return { kind: 'running', jobId, record: current }
  }
  // The manifest is read after the job has left the queue: a job that completes stores it before.
  await untilGone(ports, jobId, options)
  const manifest = await readManifest(ports.store, jobId, options)
  if (manifest) {
    await completedRecord(ports, { submission, jobId, manifest }, options)
    return { kind: 'done', jobId, manifest }
  }
  const attempt = await clearFailures(ports, jobId, options)
  // Stored before the job is queued: a job that Redis loses is then found by it and queued again.
  const document = jobDocument(ports, submission, jobId, head)
  await writeJson(ports.store, jobKey(jobId), document, options)
  await startJob(ports, document, { why: 'submitted', attempt, ...options })
  return { kind: 'queued', jobId }
}

/** Why a job starts, and what is known of its earlier attempts. */
export interface StartOptions extends CallOptions {
  /** Reason for the entry in the job's history. */
  why: 'submitted' | 'retried' | 'found'
  /** Number of the job's last attempt as storage knows it; 0 for none. */
  attempt: number
}

/** Queues a job that has its document, with a new record. All that storage has of it stays. */
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

/** Time limit, in ms, for an ended job to leave the queue; it is exceeded if its worker died. */
const LEAVE_TIMEOUT_MS = 3_000
const LEAVE_POLL_MS = 20

/**
 * Waits until a job that has ended has left the queue: before that, no job can be queued under its
 * id. An entry that is still there after 3 s belongs to a dead worker, and the queue itself gives
 * it to another one.
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

/** Writes a record for a job that completed long ago and whose record has expired. */
async function completedRecord(
  ports: IntakePorts,
  done: { submission: Submission; jobId: string; manifest: ManifestDocument },
  options: CallOptions,
): Promise<void> {
  const { submission, jobId, manifest } = done
  if (await ports.jobStore.get(jobId, options)) return
  const { name: sourceName = submission.key, tenant, priority, deadlineAt } = submission
  const completedAtMs = Date.parse(manifest.completed_at)
  const origin = { jobId, tenant, sourceName, priority, deadlineAt, createdAtMs: completedAtMs }
  const record = {
    ...blankRecord(origin, ports.clock.wallMs()),
    ...completedBy(manifest, null),
    reachedAtMs: { completed: completedAtMs },
  }
  await ports.jobStore.create(record, options)
}
