import { describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../../../src/kernel/simulated-clock.js'
import { readJob, readJobDocument } from '../../../../src/pipeline/intake/read-job.js'
import { jobKey } from '../../../../src/storage/keys.js'
import { MemoryObjectStore } from '../../../sim/chaos/memory-object-store.js'

const newStore = () => new MemoryObjectStore({ clock: new SimulatedClock(), onStored: () => {} })
const signal = new AbortController().signal
const written = {
  ...{ schema: 'nightscribe.job/1', job_id: 'j', created_at: '2026-11-21T12:00:00.000Z' },
  ...{ name: 'a.wav', tenant: 'default' },
  source: { bucket: 'b', key: 'k', version_id: null, etag: 'e', bytes: 1 },
  options: { channels: 'mix', pace: 1, priority: 0, deadline_at: null },
}

async function read(document: object) {
  const store = newStore()
  await store.put(jobKey('j'), Buffer.from(JSON.stringify(document)), { signal })
  return await readJobDocument(store, 'j', { signal })
}

describe('the document of a job', () => {
  it('is read as it was written', async () => {
    expect(await read(written)).toEqual(written)
  })

  it('belongs to the default tenant where an older release has written it', async () => {
    const { tenant: _, ...older } = written
    expect(await read(older)).toEqual(written)
  })

  it('is refused where an option is none that could have been submitted, naming it', async () => {
    const options = { ...written.options, pace: 300 }
    await expect(read({ ...written, options })).rejects.toMatchObject({
      name: 'ProtocolError',
      message: expect.stringMatching(/^jobs\/j\/job\.json .*options\.pace takes .*"300"/),
    })
    await expect(read({ ...written, tenant: '../x' })).rejects.toMatchObject({
      name: 'ProtocolError',
      message: expect.stringContaining('tenant'),
    })
  })

  it('is missing as null, and as the fault of the storage where it must be there', async () => {
    const store = newStore()
    expect(await readJobDocument(store, 'j', { signal })).toBeNull()
    await expect(readJob(store, 'j', { signal })).rejects.toMatchObject({
      name: 'UpstreamError',
      code: 'storage_unavailable',
    })
  })
})
