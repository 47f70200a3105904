import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError, reasonOf, systemCode } from '../kernel/errors.js'
import { storedMedia } from '../pipeline/stored-media.js'
import { openObjectStore } from '../storage/open-object-store.js'
import type { CommandContext } from './command-context.js'
import { MEDIA_ENDINGS } from './expand-sources.js'
import type { Unprobed } from './plan-probe.js'

/**
 * The recordings behind a file, a folder, `s3://bucket/key` or `s3://bucket/prefix/`, where they
 * are: nothing is uploaded and nothing becomes a job.
 * @throws InputError `input_not_found` naming the argument; what the store throws
 */
export async function listRecordings(
  context: Pick<CommandContext, 'settings' | 'cwd' | 'clock' | 'random'>,
  argument: string,
  { signal }: { signal: AbortSignal },
): Promise<Unprobed[]> {
  const found = argument.startsWith('s3://')
    ? await listBucket(context, argument, { signal })
    : await listFolder(argument, context.cwd)
  if (found.length > 0) return found
  throw new InputError('input_not_found', `There is no audio or video below ${argument}.`)
}

async function listBucket(
  { settings, clock, random }: Pick<CommandContext, 'settings' | 'clock' | 'random'>,
  argument: string,
  { signal }: { signal: AbortSignal },
): Promise<Unprobed[]> {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(argument) ?? []
  if (!bucket) {
    const sentence = `${argument} names no bucket; write s3://bucket/prefix.`
    throw new InputError('input_not_found', sentence)
  }
  const store = await openObjectStore({ ...settings, storage: `s3://${bucket}` }, { clock, random })
  const found: Unprobed[] = []
  for await (const { key, bytes } of store.list(prefix, { signal })) {
    const isNamed = key === prefix
    if (bytes === 0 || !(isNamed || MEDIA_ENDINGS.test(key))) continue
    const name = `s3://${bucket}/${key}`
    const open = async (options: { signal: AbortSignal }) =>
      storedMedia(store, await store.head(key, options), name)
    found.push({ name, bytes, open })
  }
  return found
}

async function listFolder(argument: string, cwd: string): Promise<Unprobed[]> {
  const path = argument.startsWith('/') ? argument : join(cwd, argument)
  const about = await stat(path).catch((cause) => {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')
    throw isMissing
      ? new InputError('input_not_found', `There is no file or folder ${argument}.`, { cause })
      : new InputError('input_forbidden', `${argument} can't be read: ${reasonOf(cause)}.`, {
          cause,
        })
  })
  if (!about.isDirectory()) return [localRecording(argument, path, about.size)]
  const entries = await readdir(path, { withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile() && MEDIA_ENDINGS.test(entry.name))
    .map((entry) => entry.name)
    .sort()
  return await Promise.all(
    names.map(async (name) => {
      const { size } = await stat(join(path, name))
      return localRecording(join(argument, name), join(path, name), size)
    }),
  )
}

function localRecording(name: string, path: string, bytes: number): Unprobed {
  return {
    name,
    bytes,
    async open() {
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
