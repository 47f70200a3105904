import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { InputError, reasonOf, systemCode } from '../../kernel/errors.js'
import { locationOf, s3Address } from '../../kernel/location.js'
import type { Random } from '../../kernel/random.js'
import type { IntakePorts } from '../../pipeline/index.js'
import {
  type SourceAddress,
  sourceAddress,
  sourceOf,
} from '../../pipeline/intake/source-address.js'
import { storeRecording } from '../../pipeline/intake/store-recording.js'
import {
  contentOf,
  faultOf,
  type LocalFile,
  localFiles,
  MEDIA_ENDINGS,
  openLocalFile,
} from './local-files.js'

/** One recording that an argument refers to. */
export interface ExpandedSource {
  /** Path, key or address, for people. */
  name: string
  /**
   * Returns its address in storage, after uploading it where it isn't stored yet. @throws
   * InputError
   */
  locate(): Promise<SourceAddress>
}

/** Where sources are looked up, and the limit in bytes of a download. */
export interface ExpandOptions {
  ports: IntakePorts
  /** Folder against which relative paths are resolved. */
  cwd: string
  /** Folder for downloads on their way to storage. */
  spoolDir: string
  random: Random
  downloadBytesMax: number
  /** What `-` means; null: standard input is a terminal. */
  stdin: Readable | null
  signal: AbortSignal
}

/** The argument that means standard input, and the name of its recording. */
const STDIN = '-'
const STDIN_NAME = 'standard-input'

/**
 * Finds the recordings behind an argument: a file, a folder (its media files, by name), an
 * `s3://bucket/key`, an `s3://bucket/prefix/`, an `https://` address, or `-` for standard input.
 * @throws InputError `input_not_found` naming the argument
 */
export async function expandSources(
  argument: string,
  options: ExpandOptions,
): Promise<ExpandedSource[]> {
  if (argument === STDIN) return [{ name: STDIN_NAME, locate: () => readStdin(options) }]
  const location = locationOf(argument)
  if (location.kind === 's3') return await expandS3(argument, location, options)
  if (location.kind === 'http') {
    return [{ name: argument, locate: () => download(argument, options) }]
  }
  const files = await localFiles(argument, options.cwd)
  return files.map((file) => ({ name: file.name, locate: () => upload(file, options) }))
}

async function upload(file: LocalFile, options: ExpandOptions): Promise<SourceAddress> {
  const { store } = options.ports
  const { handle } = await openLocalFile(file, { bytesMax: options.downloadBytesMax })
  try {
    const recording = { name: file.name, read: () => contentOf(handle) }
    return sourceAddress(store, await storeRecording(store, recording, options))
  } catch (cause) {
    throw systemCode(cause)?.startsWith('E') ? await faultOf(file, cause) : cause
  } finally {
    await handle.close()
  }
}

async function expandS3(
  argument: string,
  { bucket, key }: { bucket: string; key: string },
  options: ExpandOptions,
): Promise<ExpandedSource[]> {
  if (!bucket) {
    throw new InputError('input_not_found', `${argument} names no bucket; write s3://bucket/key.`)
  }
  if (key && !key.endsWith('/')) {
    return [{ name: argument, locate: async () => ({ bucket, key }) }]
  }
  const store = await sourceOf(options.ports, bucket)
  const found: ExpandedSource[] = []
  for await (const head of store.list(key, options)) {
    if (!MEDIA_ENDINGS.test(head.key)) continue
    const address = { bucket, key: head.key }
    found.push({ name: s3Address(bucket, head.key), locate: async () => address })
  }
  if (found.length > 0) return found
  throw new InputError('input_not_found', `There is no audio or video object below ${argument}.`)
}

async function readStdin(options: ExpandOptions): Promise<SourceAddress> {
  const { stdin, signal } = options
  if (stdin === null) {
    throw new InputError(
      'input_not_found',
      'Standard input is a terminal; pipe a recording into it: … | nightscribe transcribe -',
    )
  }
  const name = STDIN_NAME
  const address = await spool({ name, label: 'Standard input', body: stdin }, options)
  signal.throwIfAborted()
  return address
}

async function download(url: string, options: ExpandOptions): Promise<SourceAddress> {
  try {
    const response = await fetch(url, { signal: options.signal })
    if (!response.ok || !response.body) {
      const code = response.status === 404 ? 'input_not_found' : 'input_forbidden'
      throw new InputError(code, `${url} answers HTTP ${response.status}; nothing was fetched.`)
    }
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
    const name = basename(new URL(url).pathname) || 'recording'
    return await spool({ name, label: url, body }, options)
  } catch (error) {
    options.signal.throwIfAborted()
    if (error instanceof InputError) throw error
    const cause = error instanceof Error && error.cause ? error.cause : error
    throw new InputError('input_not_found', `${url} can't be fetched: ${reasonOf(cause)}.`, {
      cause,
    })
  }
}

/** Stores a recording that can be read only once, by way of a file. */
async function spool(
  { name, label, body }: { name: string; label: string; body: Readable },
  options: ExpandOptions,
): Promise<SourceAddress> {
  const { store } = options.ports
  await mkdir(options.spoolDir, { recursive: true })
  const path = join(options.spoolDir, `download-${options.random.hexId(8)}`)
  try {
    const capped = limitBytes(body, label, options.downloadBytesMax)
    await pipeline(capped, createWriteStream(path), { signal: options.signal })
    const { size } = await stat(path)
    if (size === 0) throw new InputError('media_corrupt', `${label} is empty (0 bytes).`)
    const key = await storeRecording(store, { name, read: () => createReadStream(path) }, options)
    return sourceAddress(store, key)
  } finally {
    await rm(path, { force: true })
  }
}

async function* limitBytes(
  body: AsyncIterable<Uint8Array>,
  label: string,
  bytesMax: number,
): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) {
      throw new InputError(
        'media_too_large',
        `${label} is larger than ${bytesMax} bytes (setting media.sourceBytesMax).`,
      )
    }
    yield chunk
  }
}
