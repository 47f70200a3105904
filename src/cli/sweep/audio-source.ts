import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { InputError, reasonOf, systemCode } from '../../kernel/errors.js'
import { locationOf, s3Address } from '../../kernel/location.js'
import type { MediaSource } from '../../media/index.js'
import { storedMedia } from '../../pipeline/intake/stored-media.js'
import { openObjectStore } from '../../storage/open-object-store.js'
import type { CommandContext } from '../command-context.js'

/** Default audio: two voices, two minutes. Its pauses are cut out for a sweep. */
const SAMPLE = join('samples', 'audio', 'meeting.mp3')

/**
 * The recording that a sweep sends: a file, `s3://bucket/key`, or our own sample.
 * @throws InputError naming the argument; what the store throws
 */
export async function audioSource(
  context: CommandContext,
  argument: string | null,
  { signal }: { signal: AbortSignal },
): Promise<MediaSource> {
  if (argument === null) return await fileMedia(join(context.root, SAMPLE), SAMPLE)
  const location = locationOf(argument)
  if (location.kind === 's3') return await objectMedia(context, { argument, ...location }, signal)
  if (location.kind !== 'path') {
    throw new InputError(
      'input_unsupported',
      `--audio takes a file or s3://bucket/key, not "${argument}".`,
    )
  }
  return await fileMedia(resolve(context.cwd, argument), basename(argument))
}

async function objectMedia(
  { settings, clock, random }: CommandContext,
  { argument, bucket, key }: { argument: string; bucket: string; key: string },
  signal: AbortSignal,
): Promise<MediaSource> {
  if (!bucket || !key) {
    throw new InputError('input_not_found', `${argument} names no object; write s3://bucket/key.`)
  }
  const storage = s3Address(bucket)
  const store = await openObjectStore({ ...settings, storage }, { clock, random })
  return storedMedia(store, await store.head(key, { signal }), argument)
}

async function fileMedia(path: string, name: string): Promise<MediaSource> {
  const { size } = await stat(path).catch((cause) => {
    const missing = systemCode(cause) === 'ENOENT'
    throw new InputError(
      missing ? 'input_not_found' : 'input_forbidden',
      missing ? `There is no file ${path}.` : `${path} can't be read: ${reasonOf(cause)}.`,
      { cause },
    )
  })
  return {
    name,
    bytes: size,
    async read({ startByte, endByte }, { signal }) {
      if (endByte <= startByte) return noBytes()
      return createReadStream(path, { start: startByte, end: endByte - 1, signal })
    },
  }
}

async function* noBytes(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(0)
}
