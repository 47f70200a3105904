import { ConfigError } from '../../kernel/errors.js'
import { locationOf } from '../../kernel/location.js'

/** A bucket and the prefix of every key in it: empty, or ending with a slash. */
export interface S3Location {
  bucket: string
  prefix: string
}

/**
 * Parses `s3://bucket/prefix`. Pure.
 * @throws ConfigError naming NIGHTSCRIBE_STORAGE
 */
export function parseS3Location(url: string): S3Location {
  const location = locationOf(url)
  const { bucket, key } = location.kind === 's3' ? location : { bucket: '', key: '' }
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]{1,}$/.test(bucket)) {
    throw new ConfigError(
      'config_invalid',
      `NIGHTSCRIBE_STORAGE is "${url}"; it must look like s3://bucket or s3://bucket/prefix.`,
      { facts: { storage: url } },
    )
  }
  const prefix = key.replace(/\/+$/, '')
  return { bucket, prefix: prefix && `${prefix}/` }
}
