import { isoTime } from '../kernel/clock.js'
import { InputError } from '../kernel/errors.js'
import type { ChannelMode } from '../media/index.js'
import type { Pace } from '../media/replay-schedule.js'
import { isFinal, type JobCard } from '../queue/index.js'
import type { ObjectHead } from '../storage/index.js'
import type { JobDocument } from '../storage/job-document.js'
import { jobKey } from '../storage/keys.js'
import type { ManifestDocument } from '../storage/manifest-document.js'
import { writeJson } from '../storage/stored-json.js'
import { readManifest } from './commit-result.js'
import { clearFailures } from './failure-record.js'
import type { IntakePorts } from './index.js'
import { jobIdOf } from './job-id.js'
import { sourceOf } from './source-address.js'

/** What a user wants to have transcribed, and how. */
export interface Submission {
  bucket: string
  /** Key in that bucket, see `sourceAddress`. */
  key: string
  /** How the recording is called in front of people; the key by default. */
  name?: string
  channels: ChannelMode
  pace: Pace
  /** 0 to 1000, higher goes first. */
  priority: number
  deadlineAt: string | null
}

/** What became of a submission. */
export type SubmitOutcome =
  | { kind: 'queued'; jobId: string }
  /** The same recording with the same options is under way. */
  | { kind: 'running'; jobId: string; card: JobCard }
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
  const { channels } = submission
  const { bucket } = submission
  const { key, etag, versionId } = head
  const jobId = jobIdOf({ bucket, key, versionId, etag, channels })
  const manifest = await readManifest(ports.store, jobId, options)
  if (manifest) {
    await completedCard(ports, submission, jobId, manifest)
    return { kind: 'done', jobId, manifest }
  }
  const standing = await ports.board.get(jobId)
  if (standing && !isFinal(standing.status) && (await ports.queue.has(jobId))) {
    return { kind: 'running', jobId, card: standing }
  }
  await clearFailures(ports.store, jobId, options)
  // Before the queue: what Redis forgets is found again in storage.
  const document = jobDocument(ports, submission, jobId, head)
  await writeJson(ports.store, jobKey(jobId), document, options)
  await startJob(ports, document)
  return { kind: 'queued', jobId }
}

/** Puts a job that has its document before the workers, with a fresh card. */
export async function startJob(ports: IntakePorts, document: JobDocument): Promise<void> {
  const { job_id: jobId, options } = document
  await ports.board.create(newCard(ports, document))
  await ports.queue.enqueue('analyse', jobId, { priority: options.priority })
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
    `${submission.key} is empty (0 bytes); nothing to transcribe.`,
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

/** What a card needs to be told; the rest of a new one is the same for all. */
type CardOrigin = Pick<JobCard, 'jobId' | 'sourceName' | 'priority' | 'deadlineAt'>

function blankCard(ports: IntakePorts, origin: CardOrigin): JobCard {
  const nowMs = ports.clock.wallMs()
  return {
    ...origin,
    status: 'created',
    audioMsTotal: null,
    audioMsDone: 0,
    fence: null,
    attempts: 0,
    error: null,
    waiting: null,
    warnings: [],
    engineIsStandin: null,
    cancelRequested: false,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    reachedAtMs: { created: nowMs },
  }
}

function newCard(ports: IntakePorts, { job_id: jobId, name, options }: JobDocument): JobCard {
  const { priority, deadline_at: deadlineAt } = options
  return blankCard(ports, { jobId, sourceName: name, priority, deadlineAt })
}

/** A job that was done long ago may have lost its card; people shall see it all the same. */
async function completedCard(
  ports: IntakePorts,
  submission: Submission,
  jobId: string,
  manifest: ManifestDocument,
): Promise<void> {
  if (await ports.board.get(jobId)) return
  const { name: sourceName = submission.key, priority, deadlineAt } = submission
  await ports.board.create({
    ...blankCard(ports, { jobId, sourceName, priority, deadlineAt }),
    status: 'completed',
    fence: manifest.fence,
    attempts: manifest.fence,
    warnings: manifest.warnings,
    reachedAtMs: { completed: Date.parse(manifest.completed_at) },
  })
}
