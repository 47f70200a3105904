/** What is known of an object without reading it. */
export interface ObjectHead {
  key: string
  bytes: number
  /** Without quotes. Changes whenever the content does. */
  etag: string
  /** Null where the store keeps no versions. */
  versionId: string | null
  /** Unix epoch. */
  modifiedMs: number
}

/** An object being read. `body` must be consumed or returned (an early `break` releases it). */
export interface ObjectRead {
  head: ObjectHead
  /** Bytes that `body` will yield; fewer is an error that `body` throws by itself. */
  contentBytes: number
  body: AsyncIterable<Uint8Array>
}

/** A range of an object, 0-based; `endByte` is exclusive, absent means to the end. */
export interface ByteRange {
  startByte: number
  endByte?: number
}

/** How an object is to be stored. */
export interface PutOptions {
  signal: AbortSignal
  contentType?: string
  /** Create only: `put` answers `exists` when the key is taken and leaves it as it is. */
  onlyIfAbsent?: boolean
}

/** A put that was begun and has not ended: it runs, or the process that began it is gone. */
export interface UnfinishedPut {
  /** What the store calls it: opaque, and good for `dropUnfinished` of the same store only. */
  id: string
  /** The key that it was to get; null where that isn't known before the end. */
  key: string | null
  /** What it takes up; null where the store doesn't tell. */
  bytes: number | null
  /** When it was last known to be written to, or else when it began; Unix epoch. */
  touchedMs: number
}

/** Whether a put stored the object, or found one and left it. */
export type PutOutcome = { kind: 'stored'; head: ObjectHead } | { kind: 'exists' }

/**
 * Object storage. Keys are slash-separated, relative to the store's root or prefix.
 *
 * Errors, all naming the key: InputError `input_not_found`, `input_forbidden`, `media_changed` (an
 * `etag` was given and the object has another one now); UpstreamError `storage_unavailable`;
 * `output_write_failed` for a failed put; ConfigError where bucket, folder or keys are wrong;
 * InputError `input_unsupported` for a range behind the end and for a key no store can hold.
 * An abort rejects with the signal's reason.
 */
export interface ObjectStore {
  /** For sentences and manifests: `s3://bucket/prefix` or the folder's path. */
  readonly location: string
  /** The bucket's name, or `folder`. */
  readonly bucket: string
  head(key: string, options: { signal: AbortSignal }): Promise<ObjectHead>
  /** Reads an object or a range of it; with `etag`, only that content. */
  get(
    key: string,
    options: { signal: AbortSignal; range?: ByteRange; etag?: string },
  ): Promise<ObjectRead>
  /** Stores bytes or a stream of unknown length. A failed stream leaves nothing behind. */
  put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: PutOptions,
  ): Promise<PutOutcome>
  /**
   * Every object below a prefix, in key order, page by page as the consumer goes on. Its etags and
   * version ids are for noticing changes and for `get`; the ones to keep come from `head` (a folder
   * doesn't hash what it lists, S3 lists no versions).
   */
  list(prefix: string, options: { signal: AbortSignal }): AsyncIterable<ObjectHead>
  /** Deleting what isn't there is success. */
  delete(key: string, options: { signal: AbortSignal }): Promise<void>
  /**
   * Puts below our root or prefix that have not ended, running ones included: parts of uploads in
   * S3, temporary files in a folder. No listing of objects shows them.
   */
  unfinished(options: { signal: AbortSignal }): AsyncIterable<UnfinishedPut>
  /** Takes one away; a put that still runs fails. One that is gone already is success. */
  dropUnfinished(put: UnfinishedPut, options: { signal: AbortSignal }): Promise<void>
  /** A URL that a program without our credentials can read for a while: presigned, or `file:`. */
  address(key: string, options: { signal: AbortSignal; validMs: number }): Promise<string>
}
