import { createHash } from 'node:crypto'
import { isoTime } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { Attempt } from '../../queue/index.js'
import {
  type ManifestDocument,
  manifestDocument,
} from '../../storage/documents/manifest-document.js'
import { readJson, writeJson } from '../../storage/documents/stored-json.js'
import type { ObjectStore } from '../../storage/index.js'
import { attemptPrefix, manifestKey, type ResultName } from '../../storage/keys.js'

/** One file of a result. */
export interface ResultFile {
  name: ResultName
  contentType: string
  body: Uint8Array
}

/** Whether the manifest in storage is this attempt's. */
export type CommitOutcome =
  | { kind: 'committed'; manifest: ManifestDocument }
  /** Another attempt committed first: its result counts, and this attempt's is never read. */
  | { kind: 'superseded'; manifest: ManifestDocument }

/** The result to commit, and the attempt that made it. */
export interface CommitRequest {
  /** Number of the attempt as people see it: 1, 2, 3. */
  attemptNumber: number
  fence: number
  source: ManifestDocument['source']
  files: readonly ResultFile[]
  warnings: readonly string[]
  completedAtMs: number
}

/**
 * Writes the files below the attempt's prefix, and then the manifest, only if there is none: that
 * one put is the commit. When the store says that a manifest exists, it may be this attempt's own,
 * written by a put whose answer was lost: the fence in the manifest tells whose it is.
 */
export async function commitResult(
  store: ObjectStore,
  attempt: Attempt,
  request: CommitRequest,
): Promise<CommitOutcome> {
  const { jobId, signal } = attempt
  const prefix = attemptPrefix(jobId, request.fence)
  for (const { name, body, contentType } of request.files) {
    await store.put(prefix + name, body, { contentType, signal })
  }
  const manifest: ManifestDocument = {
    schema: 'nightscribe.manifest/1',
    job_id: jobId,
    fence: request.fence,
    attempt: request.attemptNumber,
    completed_at: isoTime(request.completedAtMs),
    source: request.source,
    outputs: request.files.map(({ name, body }) => ({
      name,
      key: prefix + name,
      bytes: body.byteLength,
      sha256: createHash('sha256').update(body).digest('hex'),
    })),
    warnings: [...request.warnings],
  }
  await attempt.assertOwned()
  const key = manifestKey(jobId)
  const put = await writeJson(store, key, manifest, { signal, onlyIfAbsent: true })
  if (put.kind === 'stored') return { kind: 'committed', manifest }
  const existing = await readManifest(store, jobId, { signal })
  if (!existing) {
    throw new UpstreamError('output_write_failed', `${key} existed, and was gone when it was read.`)
  }
  const ours = existing.fence === request.fence
  return { kind: ours ? 'committed' : 'superseded', manifest: existing }
}

/** The committed manifest of a job, or null. */
export async function readManifest(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<ManifestDocument | null> {
  return await readJson(store, manifestKey(jobId), manifestDocument, options)
}
