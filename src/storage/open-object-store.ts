import type { Clock } from '../kernel/clock.js'
import { ConfigError } from '../kernel/errors.js'
import { locationOf } from '../kernel/location.js'
import type { Random } from '../kernel/random.js'
import { openFolderStore } from './folder/folder-object-store.js'
import type { ObjectStore } from './index.js'
import type { S3Access } from './s3/s3-client.js'

/** The settings of the object store. */
export interface StorageSettings {
  /** A folder, or `s3://bucket/prefix`. */
  storage: string
  s3: S3Access
}

/**
 * Opens the store that NIGHTSCRIBE_STORAGE names. The AWS SDK is loaded only for S3.
 * @throws ConfigError naming the setting
 */
export async function openObjectStore(
  settings: StorageSettings,
  { clock, random, onRetry }: { clock: Clock; random: Random; onRetry?: (() => void) | undefined },
): Promise<ObjectStore> {
  const { storage, s3 } = settings
  const { kind } = locationOf(storage)
  if (kind === 's3') {
    const { openS3Store } = await import('./s3/s3-object-store.js')
    return openS3Store({ ...s3, url: storage, clock, random, onRetry })
  }
  if (kind !== 'path') {
    throw new ConfigError(
      'config_invalid',
      `NIGHTSCRIBE_STORAGE is "${storage}"; it is a folder's path or s3://bucket/prefix.`,
      { facts: { storage } },
    )
  }
  return await openFolderStore({ root: storage, clock, random })
}
