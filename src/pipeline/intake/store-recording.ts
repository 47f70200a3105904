import { createHash } from 'node:crypto'
import { InputError } from '../../kernel/errors.js'
import type { ObjectStore } from '../../storage/index.js'
import { recordingKey } from '../../storage/keys.js'

/** A recording that is not in storage yet, readable from its beginning as often as needed. */
export interface LocalRecording {
  name: string
  read(): AsyncIterable<Uint8Array>
}

/**
 * Puts a recording into storage under a key made of its content, once: the same bytes twice are one
 * object, and so one job.
 * @returns the key
 * @throws InputError `media_changed` when its second read gives other bytes; what `read` throws
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
  const sha256 = hash.digest('hex')
  const extension = /\.([A-Za-z0-9]{1,8})$/.exec(recording.name)?.[1]?.toLowerCase() ?? ''
  const key = recordingKey(sha256.slice(0, 32), extension)
  for await (const existing of store.list(key, options)) {
    if (existing.key === key) return key
  }
  await store.put(key, sameBytes(recording, sha256), options)
  return key
}

/**
 * Reads the recording a second time. Throws after the last byte if they aren't the bytes that the
 * key was made of, so that the put stores nothing: a later submission of the first bytes would get
 * the transcript of these.
 */
async function* sameBytes(recording: LocalRecording, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of recording.read()) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') === sha256) return
  throw new InputError(
    'media_changed',
    `${recording.name} changed while it was read; submit it again when its recorder has closed it.`,
  )
}
