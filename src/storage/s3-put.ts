import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { withTimeout } from '../kernel/abort.js'
import { type Clock, sleepFor } from '../kernel/clock.js'
import { UpstreamError } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import { s3Status } from './s3-error.js'
import { sourceChunks } from './source-chunks.js'

/** Streams up to this go in one request; S3 allows 10,000 parts, so 78 GiB an object. */
const PART_BYTES = 8 * 2 ** 20
/** Parts on their way at once: with one being filled and copied, 40 MiB a put at most. */
const PARTS_IN_FLIGHT_MAX = 2
const CLEANUP_TIMEOUT_MS = 10_000
/** Of a conditional put that met another one at the same moment (409). */
const CONFLICT_TRIES_MAX = 6
const CONFLICT_BACKOFF_MS = 100

export interface S3Put {
  client: S3Client
  bucket: string
  /** With the store's prefix. */
  objectKey: string
  contentType: string | undefined
  onlyIfAbsent: boolean
  clock: Clock
  random: Random
  signal: AbortSignal
}

export type S3PutOutcome =
  | { kind: 'stored'; bytes: number; etag: string; versionId: string | null }
  | { kind: 'exists' }

/**
 * Stores a body: in one request when it fits a part or is in memory, in parts otherwise. What fails
 * leaves no object and no parts (unless the server can't be reached any more: let the bucket's
 * lifecycle remove incomplete uploads).
 *
 * @throws the SDK's errors, SourceFailure
 */
export async function putToS3(
  put: S3Put,
  body: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<S3PutOutcome> {
  if (body instanceof Uint8Array) return await putWhole(put, body)
  const chunks = sourceChunks(body, put)
  const begun = await firstPart(chunks)
  if (begun.complete) return await putWhole(put, Buffer.concat(begun.chunks))
  try {
    return await putInParts(put, begun.chunks, chunks)
  } finally {
    await chunks.return()
  }
}

async function firstPart(
  chunks: AsyncGenerator<Uint8Array, void, void>,
): Promise<{ chunks: Uint8Array[]; complete: boolean }> {
  const taken: Uint8Array[] = []
  let bytes = 0
  while (bytes <= PART_BYTES) {
    const next = await chunks.next()
    if (next.done) return { chunks: taken, complete: true }
    taken.push(next.value)
    bytes += next.value.byteLength
  }
  return { chunks: taken, complete: false }
}

async function putWhole(put: S3Put, body: Uint8Array): Promise<S3PutOutcome> {
  const command = new PutObjectCommand({ ...parametersOf(put), Body: body })
  for (let tries = 1; ; tries += 1) {
    try {
      const stored = await put.client.send(command, { abortSignal: put.signal })
      return storedOutcome(stored, body.byteLength)
    } catch (error) {
      const status = put.onlyIfAbsent ? s3Status(error) : null
      if (status === 412) return { kind: 'exists' }
      if (status !== 409 || tries >= CONFLICT_TRIES_MAX) throw error
      const backoffMs = CONFLICT_BACKOFF_MS * 2 ** (tries - 1) * (0.5 + put.random.uniform())
      await sleepFor(put.clock, backoffMs, put)
    }
  }
}

async function putInParts(
  put: S3Put,
  begun: Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): Promise<S3PutOutcome> {
  // Not every server looks at the condition when the parts are joined; this makes the gap small.
  if (put.onlyIfAbsent && (await exists(put))) return { kind: 'exists' }
  let bytes = 0
  async function* all() {
    for (let chunk = begun.shift(); chunk; chunk = begun.shift()) {
      bytes += chunk.byteLength
      yield chunk
    }
    for await (const chunk of rest) {
      bytes += chunk.byteLength
      yield chunk
    }
  }
  const upload = new Upload({
    client: abortable(put),
    params: { ...parametersOf(put), Body: Readable.from(all(), { objectMode: false }) },
    partSize: PART_BYTES,
    queueSize: PARTS_IN_FLIGHT_MAX,
  })
  try {
    return storedOutcome(await upload.done(), bytes)
  } catch (error) {
    if (put.onlyIfAbsent && s3Status(error) === 412) return { kind: 'exists' }
    throw error
  }
}

/**
 * A view of the client whose requests end with the signal, except the one that removes the parts.
 * `Upload`'s own abort would not wait for that one.
 */
function abortable({ client, signal }: S3Put): S3Client {
  const send = (command: Parameters<S3Client['send']>[0]) => {
    if (!(command instanceof AbortMultipartUploadCommand)) {
      return client.send(command, { abortSignal: signal })
    }
    const { signal: never } = new AbortController()
    const removed = withTimeout(CLEANUP_TIMEOUT_MS, never, tooLong, (abortSignal) =>
      client.send(command, { abortSignal }),
    )
    // Why the upload failed is what its caller must learn, not that its parts still lie there.
    return removed.catch(() => ({}))
  }
  return Object.assign(Object.create(client) as S3Client, { send })
}

const tooLong = () =>
  new UpstreamError('output_write_failed', 'The parts of an upload could not be removed in time.')

async function exists({ client, bucket, objectKey, signal }: S3Put): Promise<boolean> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: objectKey })
  try {
    await client.send(command, { abortSignal: signal })
    return true
  } catch (error) {
    if (s3Status(error) === 404) return false
    throw error
  }
}

function parametersOf(put: S3Put): PutObjectCommandInput {
  return {
    Bucket: put.bucket,
    Key: put.objectKey,
    ...(put.contentType === undefined ? {} : { ContentType: put.contentType }),
    ...(put.onlyIfAbsent ? { IfNoneMatch: '*' } : {}),
  }
}

function storedOutcome(
  answer: { ETag?: string | undefined; VersionId?: string | undefined },
  bytes: number,
): S3PutOutcome {
  const etag = (answer.ETag ?? '').replaceAll('"', '')
  return { kind: 'stored', bytes, etag, versionId: answer.VersionId ?? null }
}
