import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import type { ObjectHead, UnfinishedPut } from '../../storage/index.js'
import { isJobFile, isJobId, isOwnUpload } from '../../storage/keys.js'

/**
 * Decides what no job needs any more. Pure: nothing is looked up or removed here. Two rules are
 * above all others: of a job that has `job.json` but no manifest no file is a leftover, for the job
 * may continue from any of them; and no file is one that Nightscribe can't have written.
 */

/** What a leftover is. */
export type LeftoverKind =
  /** Files of an attempt that isn't the committed one. */
  | 'attempt'
  | 'checkpoint'
  /** Decoded audio of a job that is done. */
  | 'audio'
  /** Objects of a job that has no document. */
  | 'orphan'
  /** A put that never ended: parts in S3, a temporary file in a folder. */
  | 'unfinished'
  /** Decoded audio on the disk of a worker that is gone. */
  | 'spool'
  /** Leases of a worker that is gone, at an engine that no living worker looks after. */
  | 'lease'
  /** An entry of the list of jobs whose job record has expired. */
  | 'entry'

/** Something to remove, with what people need to judge it. */
export interface Leftover {
  readonly kind: LeftoverKind
  /** Name for people: a key or prefix in storage, a folder, a job's id, or a worker and engine. */
  readonly name: string
  /** Why no job needs it any more, in one phrase for people. */
  readonly why: string
  /** Objects, files or entries in it. */
  readonly items: number
  /** Size in bytes; null where it isn't known. */
  readonly bytes: number | null
  /** Time since the newest of its files was written, in ms; null where it isn't known. */
  readonly ageMs: number | null
}

/** A leftover below a job's prefix, with the keys that are removed. */
export interface JobLeftover extends Leftover {
  readonly jobId: string
  readonly keys: readonly string[]
}

/** Files are kept for this long after a commit, in ms: a late worker may still read them. */
export const SETTLED_AGE_MS = 3600 * 1000
/** Files that name no owner count as left behind once untouched for this long, in ms. */
export const ABANDONED_AGE_MS = 24 * 3600 * 1000

/** The objects below one job's prefix as they were listed, and what is known of the job. */
export interface JobPrefix {
  readonly jobId: string
  readonly objects: readonly Pick<ObjectHead, 'key' | 'bytes' | 'modifiedMs'>[]
  /** The job's manifest; null where there is none, or one that can't be read. */
  readonly manifest: ManifestDocument | null
  /** True where the queue has the job: a worker runs it or may be given it. */
  readonly isQueued: boolean
  readonly nowMs: number
}

/**
 * Whether a job with a manifest has files beside its result. Only then is the manifest read: an
 * archive has thousands of jobs without such files.
 */
export function hasMoreThanResult({ jobId, objects }: Pick<JobPrefix, 'jobId' | 'objects'>) {
  const names = objects.map(({ key }) => key.slice(`jobs/${jobId}/`.length))
  const attempts = new Set(names.flatMap((name) => /^a\d+\//.exec(name)?.[0] ?? []))
  const isMore = (name: string) => name === 'audio.flac' || name.startsWith('checkpoints/')
  return attempts.size > 1 || names.some(isMore)
}

/** The leftovers below a job's prefix. */
export function leftoversOfJob(prefix: JobPrefix): JobLeftover[] {
  if (!isJobId(prefix.jobId) || prefix.isQueued) return []
  const own = prefix.objects.filter(({ key }) => isJobFile(nameIn(prefix, key)))
  const names = new Set(own.map(({ key }) => nameIn(prefix, key)))
  if (names.has('manifest.json')) return prefix.manifest ? afterCommit(prefix, own) : []
  return names.has('job.json') ? [] : orphans(prefix, own)
}

/**
 * Leftovers of a job that was committed: decoded audio, checkpoints, and the files of every other
 * attempt. A worker that was replaced may still write some: no reader looks at them, and the next
 * run removes them.
 */
function afterCommit(prefix: JobPrefix, own: JobPrefix['objects']): JobLeftover[] {
  const { manifest } = prefix
  if (!manifest || !isWhole(prefix, manifest)) return []
  const committed = own.find(({ key }) => nameIn(prefix, key) === 'manifest.json')
  if (!committed || prefix.nowMs - committed.modifiedMs < SETTLED_AGE_MS) return []
  const kept = new Set(manifest.outputs.map(({ key }) => key))
  const groups = new Map<string, { kind: LeftoverKind; objects: typeof own }>()
  for (const object of own) {
    if (kept.has(object.key) || prefix.nowMs - object.modifiedMs < SETTLED_AGE_MS) continue
    const group = groupOf(nameIn(prefix, object.key), manifest.fence)
    if (!group) continue
    const others = groups.get(group.name)?.objects ?? []
    groups.set(group.name, { kind: group.kind, objects: [...others, object] })
  }
  return [...groups].map(([name, { kind, objects }]) => {
    const why = kind === 'attempt' ? `attempt ${manifest.fence} was committed` : 'the job is done'
    return leftover(prefix, { kind, name, why }, objects)
  })
}

/**
 * Whether all files of a result are there. Where one is missing, a person has changed the folder,
 * and nothing is removed automatically.
 */
function isWhole(prefix: JobPrefix, manifest: ManifestDocument): boolean {
  if (manifest.job_id !== prefix.jobId) return false
  const bytesByKey = new Map(prefix.objects.map(({ key, bytes }) => [key, bytes]))
  return manifest.outputs.every(({ key, bytes }) => bytesByKey.get(key) === bytes)
}

function groupOf(name: string, fence: number): { kind: LeftoverKind; name: string } | null {
  if (name === 'audio.flac') return { kind: 'audio', name }
  if (name.startsWith('checkpoints/')) return { kind: 'checkpoint', name: 'checkpoints/' }
  const attempt = /^a(\d+)\//.exec(name)
  if (!attempt || Number(attempt[1]) === fence) return null
  return { kind: 'attempt', name: attempt[0] }
}

function orphans(prefix: JobPrefix, own: JobPrefix['objects']): JobLeftover[] {
  // A folder with a file that Nightscribe didn't write belongs to a person, whatever its name is.
  if (own.length === 0 || own.length < prefix.objects.length) return []
  const newestMs = Math.max(...own.map(({ modifiedMs }) => modifiedMs))
  if (prefix.nowMs - newestMs < ABANDONED_AGE_MS) return []
  return [leftover(prefix, { kind: 'orphan', name: '', why: 'there is no job.json' }, own)]
}

function leftover(
  prefix: JobPrefix,
  what: { kind: LeftoverKind; name: string; why: string },
  objects: JobPrefix['objects'],
): JobLeftover {
  const newestMs = Math.max(...objects.map(({ modifiedMs }) => modifiedMs))
  return {
    ...what,
    name: `jobs/${prefix.jobId}/${what.name}`,
    jobId: prefix.jobId,
    keys: objects.map(({ key }) => key),
    items: objects.length,
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    ageMs: prefix.nowMs - newestMs,
  }
}

function nameIn({ jobId }: JobPrefix, key: string): string {
  return key.slice(`jobs/${jobId}/`.length)
}

/** An unfinished put as a leftover; null while it may still run, or may be another program's. */
export function abandonedPut(put: UnfinishedPut, nowMs: number): Leftover | null {
  const ageMs = nowMs - put.touchedMs
  if (ageMs < ABANDONED_AGE_MS) return null
  if (put.key !== null && !isOwnUpload(put.key)) return null
  const name = put.key ?? put.id
  return {
    kind: 'unfinished',
    name,
    why: 'it was never finished',
    items: 1,
    bytes: put.bytes,
    ageMs,
  }
}
