import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { InputError } from '../../kernel/errors.js'
import { locationOf, s3Address } from '../../kernel/location.js'
import { storedMedia } from '../../pipeline/intake/stored-media.js'
import { openObjectStore } from '../../storage/open-object-store.js'
import type { CommandContext } from '../command-context.js'
import { type LocalFile, localFiles, MEDIA_ENDINGS, openLocalFile } from '../submit/local-files.js'
import type { Unprobed } from './plan-probe.js'

/**
 * Lists the recordings behind a file, a folder, `s3://bucket/key` or `s3://bucket/prefix/`, without
 * copying them: nothing is uploaded, and no job is created.
 * @throws InputError `input_not_found` naming the argument; what the store throws
 */
export async function listRecordings(
  context: Pick<CommandContext, 'settings' | 'cwd' | 'clock' | 'random'>,
  argument: string,
  { signal }: { signal: AbortSignal },
): Promise<Unprobed[]> {
  const location = locationOf(argument)
  const found =
    location.kind === 's3'
      ? await listBucket(context, { argument, ...location }, { signal })
      : await listLocal(context, argument)
  if (found.length > 0) return found
  throw new InputError('input_not_found', `There is no audio or video below ${argument}.`)
}

async function listBucket(
  { settings, clock, random }: Pick<CommandContext, 'settings' | 'clock' | 'random'>,
  { argument, bucket, key: prefix }: { argument: string; bucket: string; key: string },
  { signal }: { signal: AbortSignal },
): Promise<Unprobed[]> {
  if (!bucket) {
    const sentence = `${argument} names no bucket; write s3://bucket/prefix.`
    throw new InputError('input_not_found', sentence)
  }
  const storage = s3Address(bucket)
  const store = await openObjectStore({ ...settings, storage }, { clock, random })
  const found: Unprobed[] = []
  for await (const { key, bytes } of store.list(prefix, { signal })) {
    const isNamed = key === prefix
    if (bytes === 0 || !(isNamed || MEDIA_ENDINGS.test(key))) continue
    const name = s3Address(bucket, key)
    const open = async (options: { signal: AbortSignal }) =>
      storedMedia(store, await store.head(key, options), name)
    found.push({ name, bytes, open })
  }
  return found
}

async function listLocal(
  { settings, cwd }: Pick<CommandContext, 'settings' | 'cwd'>,
  argument: string,
): Promise<Unprobed[]> {
  const bytesMax = settings.media.sourceBytesMax
  const files = await localFiles(argument, cwd)
  return await Promise.all(files.map((file) => localRecording(file, bytesMax)))
}

async function localRecording(file: LocalFile, bytesMax: number): Promise<Unprobed> {
  const { name, path } = file
  // A file that can't be read has no size here: it fails in open(), with the reason.
  const about = await stat(path).catch(() => null)
  return {
    name,
    bytes: about?.size ?? 0,
    async open() {
      const { handle, bytes } = await openLocalFile(file, { bytesMax })
      await handle.close() // opened as a check alone; each read opens it again
      return {
        name,
        bytes,
        async read({ startByte, endByte }, { signal }) {
          return createReadStream(path, { start: startByte, end: endByte - 1, signal })
        },
      }
    },
  }
}
