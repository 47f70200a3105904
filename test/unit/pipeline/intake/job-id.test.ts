import { describe, expect, it } from 'vitest'
import { type JobIdentity, jobIdOf } from '../../../../src/pipeline/intake/job-id.js'
import { isJobId } from '../../../../src/storage/keys.js'

const identity: JobIdentity = {
  ...{ tenant: 'default', bucket: 'meetings', key: '2026/a.wav' },
  ...{ versionId: null, etag: '"abc"', channels: 'mix' },
}

describe('the id of a job', () => {
  it('of the default tenant is what it was before there were tenants', () => {
    expect(jobIdOf(identity)).toBe('vd4cspveh29es7fsdp4t17npz7')
    const other = { bucket: 'folder', key: 'recordings/x/source.mp3', etag: 'e' }
    const id = jobIdOf({ ...other, tenant: 'default', versionId: 'v1', channels: 'split' })
    expect(id).toBe('vm9spmhfgpn1md2vv0vgpd49yf')
  })

  it.each([
    ['tenant', { tenant: 'other' }],
    ['bucket', { bucket: 'b' }],
    ['key', { key: 'k' }],
    ['version', { versionId: '1' }],
    ['etag', { etag: '"abd"' }],
    ['channels', { channels: 'split' as const }],
  ])('is another one for another %s', (_, changes) => {
    const id = jobIdOf({ ...identity, ...changes })
    expect(id).not.toBe(jobIdOf(identity))
    expect(isJobId(id)).toBe(true)
  })
})
