import type { ErrorCode } from '../../kernel/errors.js'
import type { JobStatus } from '../../queue/contract/job-status.js'
import type { JobRecord, RecordChanges } from '../../queue/index.js'
import type { FailureDocument } from '../../storage/documents/failure-document.js'
import type { JobDocument } from '../../storage/documents/job-document.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { IntakePorts } from '../index.js'
import { readJobDocument } from '../intake/read-job.js'
import { readManifest } from '../result/commit-result.js'
import { readFailure } from './failure-record.js'

/** Fields of a new job record that differ between jobs; the others have the same start values. */
type RecordOrigin = Pick<
  JobRecord,
  'jobId' | 'tenant' | 'sourceName' | 'priority' | 'deadlineAt' | 'createdAtMs'
>

/** The record of a job that has not been queued yet. */
export function blankRecord(origin: RecordOrigin, nowMs: number): JobRecord {
  return {
    ...origin,
    status: 'created',
    audioMsTotal: null,
    audioMsDone: 0,
    checkpointedAudioMs: 0,
    attempt: 0,
    fence: null,
    failuresSinceProgress: 0,
    error: null,
    waiting: null,
    warnings: [],
    engineIsStandin: null,
    cancelRequested: false,
    updatedAtMs: nowMs,
    reachedAtMs: { created: nowMs },
  }
}

/** The record of a job that is about to be queued. */
export function newRecord(document: JobDocument, nowMs: number): JobRecord {
  const { job_id: jobId, tenant, name: sourceName, options } = document
  const { priority, deadline_at: deadlineAt } = options
  const createdAtMs = Date.parse(document.created_at)
  return blankRecord({ jobId, tenant, sourceName, priority, deadlineAt, createdAtMs }, nowMs)
}

/**
 * The record of a job; where Redis has none any more, one made from the job's files in storage.
 * @returns null where there is no such job
 */
export async function recordOfJob(
  ports: IntakePorts,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<{ record: JobRecord; manifest: ManifestDocument | null } | null> {
  const record = await ports.jobStore.get(jobId, options)
  const manifest = await readManifest(ports.store, jobId, options)
  if (record) return { record, manifest }
  const document = await readJobDocument(ports.store, jobId, options)
  if (!document) return null
  const blank = newRecord(document, Date.parse(document.created_at))
  if (manifest) {
    const { completed_at: endedAt } = manifest
    return {
      record: endedRecord(blank, 'completed', endedAt, completedBy(manifest, null)),
      manifest,
    }
  }
  const failed = await readFailure(ports.store, jobId, options)
  if (!failed) return { record: blank, manifest }
  const { status, failed_at: endedAt, fence, attempt = fence } = failed
  const changes = { status, fence, attempt, error: errorOf(failed) }
  return { record: endedRecord(blank, status, endedAt, changes), manifest }
}

function endedRecord(
  record: JobRecord,
  status: JobStatus,
  endedAt: string,
  changes: RecordChanges,
): JobRecord {
  return {
    ...record,
    ...changes,
    reachedAtMs: { ...record.reachedAtMs, [status]: Date.parse(endedAt) },
  }
}

/** The changes that turn any record of a job with a manifest into a completed one. */
export function completedBy(
  { fence, attempt = fence, warnings }: ManifestDocument,
  record: Pick<JobRecord, 'audioMsTotal'> | null,
): RecordChanges {
  const audioMs = record?.audioMsTotal ?? null
  return {
    ...{ status: 'completed', error: null, fence, attempt, warnings },
    ...(audioMs === null ? {} : { audioMsDone: audioMs }),
  }
}

/** The error of a job record by the failure in storage; null for a canceled job. */
export function errorOf(failed: FailureDocument): JobRecord['error'] {
  if (failed.status === 'canceled') return null
  const { code, detail, retryable, stage } = failed
  return { code: code as ErrorCode, detail, retryable, stage: stage ?? 'transcribe' }
}
