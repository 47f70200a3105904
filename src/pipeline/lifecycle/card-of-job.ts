import type { ErrorCode } from '../../kernel/errors.js'
import type { CardChanges, JobCard, JobStatus } from '../../queue/index.js'
import type { FailureDocument } from '../../storage/documents/failure-document.js'
import { type JobDocument, jobDocument } from '../../storage/documents/job-document.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import { readJson } from '../../storage/documents/stored-json.js'
import { jobKey } from '../../storage/keys.js'
import type { IntakePorts } from '../index.js'
import { readManifest } from '../result/commit-result.js'
import { readFailure } from './failure-record.js'

/** What a card needs to be told; the rest of a new one is the same for all. */
type CardOrigin = Pick<JobCard, 'jobId' | 'sourceName' | 'priority' | 'deadlineAt' | 'createdAtMs'>

/** Of a job that nothing has happened to. */
export function blankCard(origin: CardOrigin, nowMs: number): JobCard {
  return {
    ...origin,
    status: 'created',
    audioMsTotal: null,
    audioMsDone: 0,
    checkpointedAudioMs: 0,
    triesSinceProgress: 0,
    fence: null,
    attempts: 0,
    error: null,
    waiting: null,
    warnings: [],
    engineIsStandin: null,
    cancelRequested: false,
    updatedAtMs: nowMs,
    reachedAtMs: { created: nowMs },
  }
}

/** Of a job that is about to be queued. */
export function newCard(document: JobDocument, nowMs: number): JobCard {
  const { job_id: jobId, name: sourceName, options } = document
  const { priority, deadline_at: deadlineAt } = options
  const createdAtMs = Date.parse(document.created_at)
  return blankCard({ jobId, sourceName, priority, deadlineAt, createdAtMs }, nowMs)
}

/**
 * The card of a job; where Redis has none any more, what storage knows of it.
 * @returns null where there is no such job
 */
export async function cardOfJob(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<{ card: JobCard; manifest: ManifestDocument | null } | null> {
  const card = await ports.board.get(jobId)
  const manifest = await readManifest(ports.store, jobId, options)
  if (card) return { card, manifest }
  const document = await readJson(ports.store, jobKey(jobId), jobDocument, options)
  if (!document) return null
  const blank = newCard(document, Date.parse(document.created_at))
  if (manifest) {
    const { completed_at: endedAt } = manifest
    return { card: endedCard(blank, 'completed', endedAt, completedBy(manifest, null)), manifest }
  }
  const failed = await readFailure(ports.store, jobId, options)
  if (!failed) return { card: blank, manifest }
  const { status, failed_at: endedAt, fence } = failed
  const changes = { status, fence, attempts: fence, error: errorOf(failed) }
  return { card: endedCard(blank, status, endedAt, changes), manifest }
}

function endedCard(
  card: JobCard,
  status: JobStatus,
  endedAt: string,
  changes: CardChanges,
): JobCard {
  return {
    ...card,
    ...changes,
    reachedAtMs: { ...card.reachedAtMs, [status]: Date.parse(endedAt) },
  }
}

/** What the card of a job that is done is told, whatever it has come to hear of it. */
export function completedBy(
  { fence, warnings }: ManifestDocument,
  card: Pick<JobCard, 'audioMsTotal'> | null,
): CardChanges {
  const audioMs = card?.audioMsTotal ?? null
  return {
    ...{ status: 'completed', error: null, fence, attempts: fence, warnings },
    ...(audioMs === null ? {} : { audioMsDone: audioMs }),
  }
}

/** What a card says of a failure that storage knows; null of a cancel. */
export function errorOf(failed: FailureDocument): JobCard['error'] {
  if (failed.status === 'canceled') return null
  const { code, detail, retryable, stage } = failed
  return { code: code as ErrorCode, detail, retryable, stage: stage ?? 'transcribe' }
}
