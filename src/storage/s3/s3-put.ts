import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { withTimeout } from '../../kernel/abort.js'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { sourceChunks } from '../source-chunks.js'
import { s3Status } from './s3-error.js'

/**
 * Size of a part. Shorter streams go in one request; with S3's 10,000 parts 78 GiB are possible.
 */
const PART_BYTES = 8 * 2 ** 20
/** Parts sent at once; with the one being filled and copied, a put holds 40 MiB at most. */
const PARTS_IN_FLIGHT_MAX = 2
/** Time limit of the requests that begin and end an upload in parts: an abort waits for them. */
const BRACKET_TIMEOUT_MS = 15_000
/** Tries of a conditional put that ran at the same time as another one (409). */
const CONFLICT_TRIES_MAX = 6
const CONFLICT_BACKOFF_MS = 100

/** Client, bucket, key and conditions of one put. */
export interface S3Put {
  client: S3Client
  bucket: string
  /** The full key in the bucket, with the store's prefix. */
  objectKey: string
  contentType: string | undefined
  onlyIfAbsent: boolean
  clock: Clock
  random: Random
  signal: AbortSignal
}

/** A `PutOutcome` with the etag and version that S3 gave the object. */
export type S3PutOutcome =
  /** The etag is null where the server gives none when parts are joined (Ceph 16). */
  | { kind: 'stored'; bytes: number; etag: string | null; versionId: string | null }
  | { kind: 'exists' }

/**
 * Stores a body: in one request where it fits a part or is in memory, in parts otherwise. A failure
 * leaves no object and no parts, unless the server can't be reached any more: for that case the
 * bucket's lifecycle should remove incomplete uploads.
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
  // Not every server checks the condition when parts are joined: this check makes a loss unlikely.
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
 * A view of the client whose requests end with the signal, except those that begin an upload or
 * remove its parts: an upload that may exist must get its id known and its parts removed, or they
 * stay and are paid for. The abort of the SDK's `Upload` waits for neither.
 */
function abortable({ client, signal, objectKey }: S3Put): S3Client {
  const tooLong = () =>
    new UpstreamError(
      'output_write_failed',
      `The server did not begin to take ${objectKey} within ${BRACKET_TIMEOUT_MS} ms.`,
    )
  const send = async (command: Parameters<S3Client['send']>[0]) => {
    const request = (abortSignal: AbortSignal) => client.send(command, { abortSignal })
    const removes = command instanceof AbortMultipartUploadCommand
    if (!removes && !(command instanceof CreateMultipartUploadCommand)) return await request(signal)
    const { signal: never } = new AbortController()
    const answer = withTimeout(BRACKET_TIMEOUT_MS, never, tooLong, request)
    // An error of the removal is dropped: the caller must get the error that ended the upload.
    return await (removes ? answer.catch(() => ({})) : answer)
  }
  return Object.assign(Object.create(client) as S3Client, { send })
}

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
  return {
    kind: 'stored',
    bytes,
    etag: bareEtag(answer.ETag),
    versionId: answer.VersionId ?? null,
  }
}

/** An etag without its quotes; null where there is none. */
export function bareEtag(etag: string | undefined): string | null {
  return etag?.replaceAll('"', '') || null
}
