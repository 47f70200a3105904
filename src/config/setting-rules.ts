import { locationOf } from '../kernel/location.js'
import type { Settings } from './schema.js'

/** A broken rule between two settings, or about the meaning of a text. */
export interface BrokenRule {
  /** The setting to change. */
  path: string
  /** Follows the name of the setting and begins with `must`. */
  sentence: string
}

/** Checks what the type of a single setting can't express. Pure. */
export function brokenRules(settings: Settings): BrokenRule[] {
  return [...storageRules(settings), ...addressRules(settings), ...lengthRules(settings)]
}

function storageRules({ storage, s3 }: Settings): BrokenRule[] {
  const broken: BrokenRule[] = []
  const location = locationOf(storage)
  const isBucket = location.kind === 's3' && location.bucket !== ''
  if (location.kind !== 'path' && !isBucket) {
    broken.push({ path: 'storage', sentence: 'must be a folder or s3://bucket/prefix' })
  }
  if (s3.endpoint !== null && locationOf(s3.endpoint).kind !== 'http') {
    broken.push({ path: 's3.endpoint', sentence: 'must begin with http:// or https://' })
  }
  if (s3.accessKeyId !== null && s3.secretAccessKey === null) {
    broken.push({ path: 's3.secretAccessKey', sentence: 'must be set too, as s3.accessKeyId is' })
  }
  if (s3.secretAccessKey !== null && s3.accessKeyId === null) {
    broken.push({ path: 's3.accessKeyId', sentence: 'must be set too, as s3.secretAccessKey is' })
  }
  return broken
}

function addressRules({ redisUrl, engines }: Settings): BrokenRule[] {
  const broken: BrokenRule[] = []
  if (redisUrl !== null && !/^(rediss?:\/\/|unix:\/\/\/)./.test(redisUrl)) {
    const sentence = 'must begin with redis://, rediss:// or unix:///'
    broken.push({ path: 'redisUrl', sentence })
  }
  // Refused because engine addresses appear in results, logs and metrics, and a password with them.
  if (engines.some((url) => new URL(url).username !== '' || new URL(url).password !== '')) {
    const sentence = 'must have no user and no password in an address; the key belongs in engineKey'
    broken.push({ path: 'engines', sentence })
  }
  return broken
}

function lengthRules({ queue, subtitles, legs }: Settings): BrokenRule[] {
  const broken: BrokenRule[] = []
  if (legs.floorMs > legs.ceilingMs) {
    const sentence = `must be at most legs.ceilingMs (${legs.ceilingMs})`
    broken.push({ path: 'legs.floorMs', sentence })
  }
  if (queue.stalledIntervalMs > queue.lockDurationMs) {
    const sentence = `must be at most queue.lockDurationMs (${queue.lockDurationMs})`
    broken.push({ path: 'queue.stalledIntervalMs', sentence })
  }
  if (queue.backoffMs > queue.backoffMaxMs) {
    const sentence = `must be at most queue.backoffMaxMs (${queue.backoffMaxMs})`
    broken.push({ path: 'queue.backoffMs', sentence })
  }
  if (subtitles.cueMinMs > subtitles.cueMaxMs) {
    const sentence = `must be at most subtitles.cueMaxMs (${subtitles.cueMaxMs})`
    broken.push({ path: 'subtitles.cueMinMs', sentence })
  }
  return broken
}
