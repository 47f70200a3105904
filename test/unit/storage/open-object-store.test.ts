import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/kernel/clock.js'
import { systemRandom } from '../../../src/kernel/random.js'
import { openObjectStore } from '../../../src/storage/open-object-store.js'
import { parseS3Location } from '../../../src/storage/s3/s3-location.js'

const ports = { clock: systemClock(), random: systemRandom() }
const s3 = {
  endpoint: null,
  region: 'us-east-1',
  accessKeyId: 'key',
  secretAccessKey: 'secret',
  pathStyle: null,
  checksums: 'when_required' as const,
}

describe('which store a setting means', () => {
  it.each([
    ['s3://bucket', 'bucket', ''],
    ['s3://bucket/', 'bucket', ''],
    ['s3://my.bucket-1/night/runs//', 'my.bucket-1', 'night/runs/'],
  ])('%s', (url, bucket, prefix) => {
    expect(parseS3Location(url)).toEqual({ bucket, prefix })
  })

  it.each(['s3://', 's3:///prefix', 's3://b', 's3://user@bucket', 's3://bu cket/x'])(
    '%j names no bucket',
    (url) => {
      expect(() => parseS3Location(url)).toThrow(/NIGHTSCRIBE_STORAGE/)
    },
  )

  it('opens S3 for s3:// without asking it anything', async () => {
    const store = await openObjectStore({ storage: 's3://bucket/night/', s3 }, ports)
    expect([store.location, store.bucket]).toEqual(['s3://bucket/night', 'bucket'])
  })

  it('opens a folder for a path', async () => {
    const root = await mkdtemp(join(tmpdir(), 'nightscribe-open-'))
    try {
      const store = await openObjectStore({ storage: join(root, 'data'), s3 }, ports)
      expect([store.location, store.bucket]).toEqual([join(root, 'data'), 'folder'])
    } finally {
      await rm(root, { recursive: true })
    }
  })

  it('refuses other schemes, and one key without the other', async () => {
    await expect(openObjectStore({ storage: 'gs://bucket', s3 }, ports)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('NIGHTSCRIBE_STORAGE'),
    })
    const half = { storage: 's3://bucket', s3: { ...s3, secretAccessKey: null } }
    await expect(openObjectStore(half, ports)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('NIGHTSCRIBE_S3_SECRET_ACCESS_KEY'),
    })
  })
})
