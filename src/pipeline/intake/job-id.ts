import { createHash } from 'node:crypto'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import type { ChannelMode } from '../../media/index.js'

/** What makes two submissions the same job. */
export interface JobIdentity {
  tenant: string
  bucket: string
  key: string
  versionId: string | null
  etag: string
  /** Options that change the result belong here; pace and priority don't. */
  channels: ChannelMode
}

/**
 * The job's id: 26 letters and digits out of a SHA-256 over its identity (130 bits), so that the
 * same object submitted twice is one job. Pure.
 */
export function jobIdOf(identity: JobIdentity): string {
  const { tenant, bucket, key, versionId, etag, channels } = identity
  // The default tenant is left out, so that ids from before there were tenants stay the same.
  const whose = tenant === DEFAULT_TENANT ? [] : [tenant]
  const parts = ['nightscribe.job/1', bucket, key, versionId, etag, channels, ...whose]
  const canonical = JSON.stringify(parts)
  return base32(createHash('sha256').update(canonical).digest()).slice(0, 26)
}

/** Crockford's base 32 in lower case: without letters that look like a digit or each other. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let pending = 0
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xffff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(pending >> bits) & 31]
    }
  }
  return text
}
