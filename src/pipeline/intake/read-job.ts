import { InputError, ProtocolError } from '../../kernel/errors.js'
import { fieldNames, parseSubmission } from '../../queue/contract/submission-options.js'
import { type JobDocument, jobDocument } from '../../storage/documents/job-document.js'
import { readJson } from '../../storage/documents/stored-json.js'
import type { ObjectStore } from '../../storage/index.js'
import { missingJobObject } from '../../storage/job-object-error.js'
import { jobKey } from '../../storage/keys.js'

/**
 * The document of a job, its options checked like those of a submission; null where there is none.
 * @throws ProtocolError where it is not what a submission writes; what the store throws
 */
export async function readJobDocument(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<JobDocument | null> {
  const key = jobKey(jobId)
  const job = await readJson(store, key, jobDocument, options)
  if (job) assertSubmittable(job, key)
  return job
}

/** Like `readJobDocument`, for a job that must have a document. @throws UpstreamError if not */
export async function readJob(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<JobDocument> {
  const job = await readJobDocument(store, jobId, options)
  if (job) return job
  throw missingJobObject(jobKey(jobId))
}

function assertSubmittable({ options, tenant, created_at }: JobDocument, key: string): void {
  const { channels, pace, priority, deadline_at: deadlineAt } = options
  try {
    const names = fieldNames('options.')
    const nowMs = Date.parse(created_at)
    parseSubmission({ channels, pace, priority, deadlineAt, tenant }, { names, nowMs })
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause
    throw new ProtocolError(
      'internal',
      `${key} in storage is not what this release writes (${cause.message}); was it changed by hand?`,
      { cause },
    )
  }
}
