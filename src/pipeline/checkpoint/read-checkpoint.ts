import { ProtocolError } from '../../kernel/errors.js'
import {
  type CheckpointDocument,
  checkpointDocument,
} from '../../storage/documents/checkpoint-document.js'
import { readJson } from '../../storage/documents/stored-json.js'
import type { ObjectStore } from '../../storage/index.js'
import { checkpointOfKey, checkpointPrefix } from '../../storage/keys.js'

/**
 * The checkpoint from which a job continues: that of the highest fence, and of those the highest
 * number. One that can't be read (written by another release, or changed by hand) is skipped.
 *
 * @returns null where there is none: the job is replayed from its beginning
 * @throws what the store throws
 */
export async function readCheckpoint(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<CheckpointDocument | null> {
  for (const key of await checkpointKeys(store, jobId, options)) {
    const document = await readOne(store, key, options)
    if (document) return document
  }
  return null
}

/** Keys of all checkpoints of a job, the newest first. */
export async function checkpointKeys(
  store: ObjectStore,
  jobId: string,
  options: { signal: AbortSignal },
): Promise<string[]> {
  const found: { key: string; fence: number; number: number }[] = []
  for await (const { key } of store.list(checkpointPrefix(jobId), options)) {
    const place = checkpointOfKey(key)
    if (place) found.push({ key, ...place })
  }
  found.sort((one, other) => other.fence - one.fence || other.number - one.number)
  return found.map(({ key }) => key)
}

async function readOne(
  store: ObjectStore,
  key: string,
  options: { signal: AbortSignal },
): Promise<CheckpointDocument | null> {
  try {
    return await readJson(store, key, checkpointDocument, options)
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}
