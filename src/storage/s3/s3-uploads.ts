import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { UnfinishedPut } from '../index.js'
import { s3Code } from './s3-error.js'

/** The bucket and prefix in which uploads in parts are searched. */
export interface S3UploadPlace {
  client: S3Client
  bucket: string
  /** The store's prefix; empty, or ending with a slash. */
  prefix: string
  signal: AbortSignal
}

/** Runs a request and classifies its error. */
type Attempt = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Lists the uploads in parts below a prefix that have not ended, of all processes, page by page.
 * The bytes of their parts are summed up, because they are paid for.
 * @throws the SDK's errors as `attempt` classifies them
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
      // Servers other than AWS may ignore the prefix, or leave the time out.
      if (!Key.startsWith(prefix) || !Initiated) continue
      const bytes = await attempt(() => partsBytes(place, { Key, UploadId: id }))
      if (bytes === null) continue
      yield { id, key: Key.slice(prefix.length), bytes, touchedMs: Initiated.getTime() }
    }
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page
    if (!page.IsTruncated || KeyMarker === undefined) return
    at = { KeyMarker, ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) }
  }
}

/** Removes an upload with its parts. */
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

/** Bytes of an upload's parts; null where it has ended meanwhile. */
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
