import type { Clock } from '../../kernel/clock.js'
import { InputError, NightscribeError } from '../../kernel/errors.js'
import type { JobQueue } from '../../queue/index.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { ObjectHead, ObjectStore, UnfinishedPut } from '../../storage/index.js'
import { isJobId, jobKey, manifestKey } from '../../storage/keys.js'
import { readManifest } from '../result/commit-result.js'
import type { LeftoverSource } from './clean-up.js'
import {
  abandonedPut,
  hasMoreThanResult,
  type JobLeftover,
  type JobPrefix,
  type Leftover,
  leftoversOfJob,
} from './housekeeping.js'

/** Ports that a search for leftovers in storage needs. */
export interface StoragePorts {
  store: ObjectStore
  queue: Pick<JobQueue, 'has'>
  clock: Pick<Clock, 'wallMs'>
}

/**
 * Leftovers of jobs, in one pass over the keys. Manifest and queue are asked only for a job that
 * may have leftovers. A job whose manifest can't be read is left as it is.
 */
export function jobLeftovers(ports: StoragePorts): LeftoverSource<JobLeftover> {
  return {
    async *find(options) {
      for await (const { jobId, objects } of prefixes(ports.store, options)) {
        if (!isJobId(jobId)) continue
        const isDone = objects.some(({ key }) => key === manifestKey(jobId))
        if (isDone && !hasMoreThanResult({ jobId, objects })) continue
        const known: JobPrefix = {
          ...{ jobId, objects, nowMs: ports.clock.wallMs(), isQueued: false },
          manifest: isDone ? await manifestOf(ports.store, jobId, options) : null,
        }
        if (leftoversOfJob(known).length === 0) continue
        const isQueued = await ports.queue.has(jobId, options)
        yield* leftoversOfJob({ ...known, isQueued })
      }
    },
    remove: (leftover, options) => removeKeys(ports, leftover, options),
  }
}

/**
 * Removes the keys of a leftover. Before each key of an orphan it looks for `job.json` again: the
 * job may have been submitted since, and its new files must stay. A committed job can't change.
 */
async function removeKeys(
  { store }: StoragePorts,
  { kind, jobId, keys }: JobLeftover,
  options: { signal: AbortSignal },
): Promise<void> {
  for (const key of keys) {
    if (kind === 'orphan' && (await exists(store, jobKey(jobId), options))) return
    await store.delete(key, options)
  }
}

/** Puts that never ended. */
export function unfinishedPuts(
  ports: Omit<StoragePorts, 'queue'>,
): LeftoverSource<Leftover & { put: UnfinishedPut }> {
  return {
    async *find(options) {
      for await (const put of ports.store.unfinished(options)) {
        const leftover = abandonedPut(put, ports.clock.wallMs())
        if (leftover) yield { ...leftover, put }
      }
    },
    remove: ({ put }, options) => ports.store.dropUnfinished(put, options),
  }
}

/** Groups objects by job, without holding more than one job's: storage lists keys in order. */
async function* prefixes(
  store: ObjectStore,
  options: { signal: AbortSignal },
): AsyncIterable<{ jobId: string; objects: ObjectHead[] }> {
  let jobId = ''
  let objects: ObjectHead[] = []
  for await (const head of store.list('jobs/', options)) {
    const [, next] = /^jobs\/([^/]+)\//.exec(head.key) ?? []
    if (next === undefined) continue
    if (next !== jobId && objects.length > 0) yield { jobId, objects }
    if (next !== jobId) objects = []
    jobId = next
    objects.push(head)
  }
  if (objects.length > 0) yield { jobId, objects }
}

async function manifestOf(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<ManifestDocument | null> {
  try {
    return await readManifest(store, jobId, options)
  } catch (error) {
    options.signal.throwIfAborted()
    if (error instanceof NightscribeError && error.name === 'ProtocolError') return null
    throw error
  }
}

async function exists(
  store: ObjectStore,
  key: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  try {
    await store.head(key, options)
    return true
  } catch (error) {
    if (error instanceof InputError && error.code === 'input_not_found') return false
    throw error
  }
}
