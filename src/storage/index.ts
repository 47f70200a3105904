/** Facts of an object that are known without reading it. */
export interface ObjectHead {
  key: string
  bytes: number
  /** Tag of the content, without quotes: another content has another etag. */
  etag: string
  /** Version of the object; null where the store keeps no versions. */
  versionId: string | null
  /** Time of the last change, ms of the Unix epoch. */
  modifiedMs: number
}

/**
 * An object that is being read. `body` must be read to its end or left by a `break`: otherwise its
 * connection stays open.
 */
export interface ObjectRead {
  head: ObjectHead
  /** Bytes that `body` yields; where fewer come, `body` throws. */
  contentBytes: number
  body: AsyncIterable<Uint8Array>
}

/** A range of an object, 0-based; `endByte` is exclusive, absent means to the end. */
export interface ByteRange {
  startByte: number
  endByte?: number
}

/** How an object is stored. */
export interface PutOptions {
  signal: AbortSignal
  contentType?: string
  /** Create only: `put` answers `exists` when the key is taken and leaves it as it is. */
  onlyIfAbsent?: boolean
}

/** A put that has begun and not ended: it still runs, or the process that began it is gone. */
export interface UnfinishedPut {
  /** Opaque id, valid only for `dropUnfinished` of the same store. */
  id: string
  /** The key that the object was to get; null where the store knows it only at the end. */
  key: string | null
  /** Bytes that it occupies; null where the store doesn't tell. */
  bytes: number | null
  /** When it was last written to, or else when it began, ms of the Unix epoch. */
  touchedMs: number
}

/** Whether a put stored the object, or found an existing one and left it unchanged. */
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
  /** For error sentences and manifests: `s3://bucket/prefix` or the folder's path. */
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
   * Lists every object below a prefix in key order, page by page while the consumer reads. Its
   * etags serve to notice changes and for `get`; etags and versions that are stored must come from
   * `head`, because a folder doesn't hash the files that it lists, and S3 lists no versions.
   */
  list(prefix: string, options: { signal: AbortSignal }): AsyncIterable<ObjectHead>
  /** Deletes an object; succeeds where there is none. */
  delete(key: string, options: { signal: AbortSignal }): Promise<void>
  /**
   * Lists puts below the store's root or prefix that have not ended, running ones included: parts
   * of uploads in S3, temporary files in a folder. `list` shows none of them.
   */
  unfinished(options: { signal: AbortSignal }): AsyncIterable<UnfinishedPut>
  /**
   * Removes an unfinished put; one that still runs then fails. Succeeds where it is gone already.
   */
  dropUnfinished(put: UnfinishedPut, options: { signal: AbortSignal }): Promise<void>
  /**
   * A URL readable without credentials for `validMs`: presigned, or `file:`, which never expires.
   */
  address(key: string, options: { signal: AbortSignal; validMs: number }): Promise<string>
}
