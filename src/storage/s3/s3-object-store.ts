import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Clock } from '../../kernel/clock.js'
import { ConfigError, InputError, UpstreamError } from '../../kernel/errors.js'
import { s3Address } from '../../kernel/location.js'
import type { Random } from '../../kernel/random.js'
import { assertRange, rangeBehindEnd } from '../byte-range.js'
import type {
  ByteRange,
  ObjectHead,
  ObjectRead,
  ObjectStore,
  PutOptions,
  PutOutcome,
  UnfinishedPut,
} from '../index.js'
import { SourceFailure } from '../source-chunks.js'
import { assertStorable } from '../storable-key.js'
import { resumableBody } from './s3-body.js'
import { createS3Client, type S3Access, type S3Timeouts } from './s3-client.js'
import { type S3Attempt, s3Code, s3Error, s3Status } from './s3-error.js'
import { parseS3Location, type S3Location } from './s3-location.js'
import { bareEtag, putToS3 } from './s3-put.js'
import { patientClient } from './s3-retry.js'
import { dropUpload, s3Uploads } from './s3-uploads.js'

const PAGE_KEYS_MAX = 1000
/** Longest validity of a presigned URL that S3 accepts, in ms: 7 days. */
const ADDRESS_VALID_MAX_MS = 7 * 24 * 3600 * 1000

/** Options of an S3 store: its settings, and clock and chance for its retries. */
export interface S3StoreOptions extends S3Access {
  /** `s3://bucket` or `s3://bucket/prefix` */
  url: string
  clock: Clock
  random: Random
  /** Keys in a page of a listing; 1000 at most and by default. */
  pageKeysMax?: number
  /** Called each time that a request is sent again. */
  onRetry?: (() => void) | undefined
  /** Time limits in place of the default ones, which are for the internet. */
  timeouts?: S3Timeouts
}

/**
 * Opens a bucket, or a prefix in it. Makes no request: a wrong setting shows at the first one.
 *
 * `onlyIfAbsent` is atomic for bytes and for streams of up to 8 MiB (`PUT If-None-Match`). For
 * longer streams it is atomic where the server checks the condition when parts are joined, as AWS
 * does. Other servers (Ceph 16) don't: the key is checked before the upload, and of two racing
 * writers the last one wins. `exists` may mean this writer's own object, where the answer to its
 * put was lost.
 *
 * @throws ConfigError naming NIGHTSCRIBE_STORAGE, or the key settings where only one of them is set
 */
export function openS3Store(options: S3StoreOptions): ObjectStore {
  if ((options.accessKeyId === null) !== (options.secretAccessKey === null)) {
    throw new ConfigError(
      'config_invalid',
      'NIGHTSCRIBE_S3_ACCESS_KEY_ID and NIGHTSCRIBE_S3_SECRET_ACCESS_KEY go together: ' +
        'set both or none.',
    )
  }
  const client = createS3Client(options, options.timeouts)
  return new S3ObjectStore(parseS3Location(options.url), client, options)
}

class S3ObjectStore implements ObjectStore {
  readonly location: string
  readonly bucket: string
  private readonly prefix: string
  private readonly client: S3Client
  private readonly options: S3StoreOptions
  /** True after the first answer that only this bucket can have given. */
  private proven = false

  constructor({ bucket, prefix }: S3Location, client: S3Client, options: S3StoreOptions) {
    this.bucket = bucket
    this.prefix = prefix
    this.location = s3Address(bucket, prefix.replace(/\/$/, ''))
    this.options = options
    const { clock, random, onRetry } = options
    const isProven = () => this.proven
    this.client = patientClient(client, { clock, random, onRetry, isProven })
  }

  async head(key: string, { signal }: { signal: AbortSignal }): Promise<ObjectHead> {
    return await this.attempt('read', key, signal, async () => {
      const command = new HeadObjectCommand(this.object(key))
      try {
        const answer = await this.client.send(command, { abortSignal: signal })
        return headOf(key, answer, answer.ContentLength ?? 0)
      } catch (error) {
        const status = s3Status(error)
        if (signal.aborted || status === null || status >= 500) throw error
        // The answer to HEAD has no body and so no code. The answer to GET tells a missing key from
        // a missing bucket, and a denied key from wrong credentials.
        return await this.headByGet(key, signal)
      }
    })
  }

  async get(
    key: string,
    options: { signal: AbortSignal; range?: ByteRange; etag?: string },
  ): Promise<ObjectRead> {
    assertRange(options.range)
    const { signal, range = { startByte: 0 } } = options
    const answer = await this.fetch(key, { signal, range, etag: options.etag })
    const contentBytes = answer.ContentLength ?? 0
    const head = headOf(key, answer, totalBytes(answer) ?? contentBytes)
    const reopen = async (fromByte: number) => {
      const startByte = range.startByte + fromByte
      const rest = { startByte, endByte: range.startByte + contentBytes }
      return bodyOf(await this.fetch(key, { signal, range: rest, etag: head.etag }))
    }
    const body = resumableBody({
      first: bodyOf(answer),
      contentBytes,
      reopen,
      classify: (error) => s3Error(error, this.describe('read', key)),
      clock: this.options.clock,
      random: this.options.random,
      signal,
    })
    return { head, contentBytes, body }
  }

  /** `modifiedMs` of the outcome is the time of this machine: S3's answer to a put has no time. */
  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { signal, contentType, onlyIfAbsent = false }: PutOptions,
  ): Promise<PutOutcome> {
    assertStorable(key, this.prefix)
    const { clock, random } = this.options
    return await this.attempt('write', key, signal, async () => {
      const { client, bucket } = this
      const objectKey = this.prefix + key
      const put = { client, bucket, objectKey, contentType, onlyIfAbsent, clock, random, signal }
      const outcome = await putToS3(put, body)
      if (outcome.kind === 'exists') return outcome
      const { bytes, versionId } = outcome
      const etag = outcome.etag ?? (await this.head(key, { signal })).etag
      return { kind: 'stored', head: { key, bytes, etag, versionId, modifiedMs: clock.wallMs() } }
    })
  }

  async *list(prefix: string, { signal }: { signal: AbortSignal }): AsyncIterable<ObjectHead> {
    let token: string | undefined
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.bucket,
        Prefix: this.prefix + prefix,
        MaxKeys: this.options.pageKeysMax ?? PAGE_KEYS_MAX,
        // Keys are encoded, because XML can't contain every character of a key.
        EncodingType: 'url',
        ...(token === undefined ? {} : { ContinuationToken: token }),
      })
      const page = await this.attempt('list', prefix, signal, () =>
        this.client.send(command, { abortSignal: signal }),
      )
      for (const entry of page.Contents ?? []) {
        signal.throwIfAborted()
        const key = decodeKey(entry.Key ?? '').slice(this.prefix.length)
        yield headOf(key, entry, entry.Size ?? 0)
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async delete(key: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.attempt('delete', key, signal, async () => {
      try {
        await this.client.send(new DeleteObjectCommand(this.object(key)), { abortSignal: signal })
      } catch (error) {
        if (s3Code(error) !== 'NoSuchKey') throw error
      }
    })
  }

  async *unfinished({ signal }: { signal: AbortSignal }): AsyncIterable<UnfinishedPut> {
    const { client, bucket, prefix } = this
    const attempt = <T>(work: () => Promise<T>) => this.attempt('list', prefix, signal, work)
    yield* s3Uploads({ client, bucket, prefix, signal }, attempt)
  }

  async dropUnfinished(put: UnfinishedPut, { signal }: { signal: AbortSignal }): Promise<void> {
    const key = put.key ?? ''
    const { client } = this
    await this.attempt('delete', key, signal, () =>
      dropUpload({ client, ...this.object(key), uploadId: put.id, signal }),
    )
  }

  /** A presigned URL, valid for 7 days at most. Whether the object exists is not checked. */
  async address(
    key: string,
    { signal, validMs }: { signal: AbortSignal; validMs: number },
  ): Promise<string> {
    signal.throwIfAborted()
    assertStorable(key, this.prefix)
    // The SDK takes seconds.
    const expiresIn = Math.ceil(Math.min(validMs, ADDRESS_VALID_MAX_MS) / 1000)
    try {
      return await getSignedUrl(this.client, new GetObjectCommand(this.object(key)), { expiresIn })
    } catch (error) {
      throw s3Error(error, this.describe('read', key))
    }
  }

  private async headByGet(key: string, signal: AbortSignal): Promise<ObjectHead> {
    const command = new GetObjectCommand({ ...this.object(key), Range: 'bytes=0-0' })
    const answer = await this.client.send(command, { abortSignal: signal })
    bodyOf(answer).destroy()
    return headOf(key, answer, totalBytes(answer) ?? answer.ContentLength ?? 0)
  }

  private async fetch(
    key: string,
    request: { signal: AbortSignal; range: ByteRange; etag: string | undefined },
  ): Promise<GetObjectCommandOutput> {
    const { signal, range, etag } = request
    const { startByte, endByte } = range
    const isWhole = startByte === 0 && endByte === undefined
    const command = new GetObjectCommand({
      ...this.object(key),
      // HTTP ranges include their last byte.
      ...(isWhole ? {} : { Range: `bytes=${startByte}-${endByte ? endByte - 1 : ''}` }),
      ...(etag === undefined ? {} : { IfMatch: `"${etag}"` }),
    })
    return await this.attempt('read', key, signal, async () => {
      try {
        const answer = await this.client.send(command, { abortSignal: signal })
        if (isWhole || answer.ContentRange?.startsWith(`bytes ${startByte}-`)) return answer
        bodyOf(answer).destroy()
      } catch (error) {
        if (s3Status(error) === 416) throw rangeBehindEnd(key, range, null)
        throw error
      }
      throw new UpstreamError(
        'storage_unavailable',
        `${this.options.endpoint ?? 'AWS'} answered with another part of ${key} than asked for.`,
        { effect: 'none', facts: { key, startByte } },
      )
    })
  }

  private async attempt<T>(
    action: S3Attempt['action'],
    key: string,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      signal.throwIfAborted()
      const result = await work()
      this.proven = true
      return result
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof SourceFailure) throw error.cause
      const failure = s3Error(error, this.describe(action, key))
      this.proven ||= failure instanceof InputError
      throw failure
    }
  }

  private describe(action: S3Attempt['action'], key: string): S3Attempt {
    const { endpoint, checksums } = this.options
    return { action, key, location: this.location, endpoint, checksums, proven: this.proven }
  }

  private object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + key }
  }
}

interface HeadFacts {
  ETag?: string | undefined
  VersionId?: string | undefined
  LastModified?: Date | undefined
}

function headOf(key: string, facts: HeadFacts, bytes: number): ObjectHead {
  const etag = bareEtag(facts.ETag)
  if (etag === null) {
    throw new ConfigError(
      'config_invalid',
      `The server told no etag of ${key}: is NIGHTSCRIBE_S3_ENDPOINT that of an S3 server?`,
      { facts: { key } },
    )
  }
  return {
    key,
    bytes,
    etag,
    versionId: facts.VersionId ?? null,
    modifiedMs: facts.LastModified?.getTime() ?? 0,
  }
}

/** Size of the whole object in bytes, from the answer to a range; null where it is missing. */
function totalBytes({ ContentRange }: GetObjectCommandOutput): number | null {
  const digits = /\/(\d+)$/.exec(ContentRange ?? '')?.[1]
  return digits === undefined ? null : Number(digits)
}

function bodyOf(answer: GetObjectCommandOutput): Readable {
  // On Node the SDK always gives a Readable.
  return answer.Body as Readable
}

/** Decodes a key of a listing, which has `+` for a blank, as in forms. */
function decodeKey(encoded: string): string {
  return decodeURIComponent(encoded.replaceAll('+', ' '))
}
