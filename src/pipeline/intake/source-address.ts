import { locationOf } from '../../kernel/location.js'
import type { ObjectStore } from '../../storage/index.js'
import type { IntakePorts } from '../index.js'

/** Bucket name of the folder adapter, which has no buckets. */
const FOLDER = 'folder'

/** Where a recording is, independent of the prefix that storage is configured with. */
export interface SourceAddress {
  /** An S3 bucket, or `folder`. */
  bucket: string
  /** The whole key in that bucket, or relative to the folder. */
  key: string
}

/** The address of an object in the configured store. */
export function sourceAddress(store: ObjectStore, key: string): SourceAddress {
  if (store.bucket === FOLDER) return { bucket: FOLDER, key }
  const location = locationOf(store.location)
  const prefix = (location.kind === 's3' ? location.key : '').replace(/\/?$/, '/')
  return { bucket: store.bucket, key: prefix === '/' ? key : prefix + key }
}

/** The store in which recordings of a bucket are read. */
export async function sourceOf(
  ports: Pick<IntakePorts, 'store' | 'sourceStore'>,
  bucket: string,
): Promise<ObjectStore> {
  return bucket === FOLDER ? ports.store : await ports.sourceStore(bucket)
}
