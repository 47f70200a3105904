import { createHash } from 'node:crypto'
import type { ObjectStore } from '../storage/index.js'
import { recordingKey } from '../storage/keys.js'

/** A recording that is not in storage yet, readable from its beginning as often as needed. */
export interface LocalRecording {
  name: string
  read(): AsyncIterable<Uint8Array>
}

/**
 * Puts a recording into storage under a key made of its content, once: the same bytes twice are one
 * object, and so one job.
 * @returns the key
 */
export async function storeRecording(
  store: ObjectStore,
  recording: LocalRecording,
  options: { signal: AbortSignal },
): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of recording.read()) {
    options.signal.throwIfAborted()
    hash.update(chunk)
  }
  const extension = /\.([A-Za-z0-9]{1,8})$/.exec(recording.name)?.[1]?.toLowerCase() ?? ''
  const key = recordingKey(hash.digest('hex').slice(0, 32), extension)
  for await (const standing of store.list(key, options)) {
    if (standing.key === key) return key
  }
  await store.put(key, recording.read(), options)
  return key
}
