import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { UnfinishedPut } from '../index.js'
import { s3Code } from './s3-error.js'

/** Where uploads in parts are looked for. */
export interface S3UploadPlace {
  client: S3Client
  bucket: string
  /** Prefix of all our keys; empty, or ending with a slash. */
  prefix: string
  signal: AbortSignal
}

/** Classifies what a request throws. */
type Attempt = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Uploads in parts below a prefix that have not ended, of any process, page by page.
 * Their parts are counted, for they are paid for.
 * @throws what `attempt` makes of the SDK's errors
 */
export async function* s3Uploads(
  place: S3UploadPlace,
  attempt: Attempt,
): AsyncGenerator<UnfinishedPut, void, void> {
  const { client, bucket: Bucket, prefix, signal } = place
  let at: { KeyMarker?: string; UploadIdMarker?: string } = {}
  for (;;) {
    const command = new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...at })
    const page = await attempt(() => client.send(command, { abortSignal: signal }))
    for (const { Key = '', UploadId: id = '', Initiated } of page.Uploads ?? []) {
      if (!Key.startsWith(prefix) || !Initiated) continue // a server that knows less than S3
      const bytes = await attempt(() => partsBytes(place, { Key, UploadId: id }))
      if (bytes === null) continue
      yield { id, key: Key.slice(prefix.length), bytes, touchedMs: Initiated.getTime() }
    }
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page
    if (!page.IsTruncated || KeyMarker === undefined) return
    at = { KeyMarker, ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) }
  }
}

/** Takes an upload away, with its parts. */
export async function dropUpload(upload: {
  client: S3Client
  Bucket: string
  Key: string
  uploadId: string
  signal: AbortSignal
}): Promise<void> {
  const { client, Bucket, Key, uploadId: UploadId, signal } = upload
  const command = new AbortMultipartUploadCommand({ Bucket, Key, UploadId })
  try {
    await client.send(command, { abortSignal: signal })
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

/** Null where the upload has ended meanwhile. */
async function partsBytes(
  { client, bucket: Bucket, signal }: S3UploadPlace,
  upload: { Key: string; UploadId: string },
): Promise<number | null> {
  let bytes = 0
  let marker: string | undefined
  try {
    do {
      const from = marker === undefined ? {} : { PartNumberMarker: marker }
      const command = new ListPartsCommand({ Bucket, ...upload, ...from })
      const page = await client.send(command, { abortSignal: signal })
      for (const { Size = 0 } of page.Parts ?? []) bytes += Size
      marker = page.IsTruncated ? page.NextPartNumberMarker : undefined
    } while (marker !== undefined)
    return bytes
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

function isGone(error: unknown): boolean {
  return s3Code(error) === 'NoSuchUpload'
}
