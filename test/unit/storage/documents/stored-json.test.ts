import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/kernel/clock.js'
import { systemRandom } from '../../../../src/kernel/random.js'
import { analysisDocument } from '../../../../src/storage/documents/analysis-document.js'
import { type JobDocument, jobDocument } from '../../../../src/storage/documents/job-document.js'
import { manifestDocument } from '../../../../src/storage/documents/manifest-document.js'
import { readJson, writeJson } from '../../../../src/storage/documents/stored-json.js'
import { openFolderStore } from '../../../../src/storage/folder/folder-object-store.js'
import type { ObjectStore } from '../../../../src/storage/index.js'

const options = { signal: new AbortController().signal }
const job: JobDocument = {
  tenant: 'default',
  schema: 'nightscribe.job/1',
  job_id: 'j1',
  created_at: '2026-11-21T04:00:00.000Z',
  name: 'a.wav',
  source: { bucket: 'folder', key: 'inbox/a.wav', version_id: null, etag: 'e', bytes: 1 },
  options: { channels: 'split', pace: 'max', priority: 0, deadline_at: null },
}

describe('JSON in storage', () => {
  let root: string
  let store: ObjectStore
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'nightscribe-json-'))
    store = await openFolderStore({ root, clock: systemClock(), random: systemRandom() })
  })
  afterEach(async () => await rm(root, { recursive: true }))

  it('comes back as it was written, and unknown fields do no harm', async () => {
    await writeJson(store, 'job.json', { ...job, later_release: true }, options)
    expect(await readJson(store, 'job.json', jobDocument, options)).toEqual(job)
  })

  it('is null where there is none', async () => {
    expect(await readJson(store, 'none.json', jobDocument, options)).toBeNull()
  })

  it('is created once where that is asked for', async () => {
    const once = { ...options, onlyIfAbsent: true }
    expect(await writeJson(store, 'job.json', job, once)).toMatchObject({ kind: 'stored' })
    expect(await writeJson(store, 'job.json', {}, once)).toEqual({ kind: 'exists' })
    expect(await readJson(store, 'job.json', jobDocument, options)).toEqual(job)
  })

  it.each([
    ['no JSON', 'not json', 'the document'],
    ['an empty file', '', 'the document'],
    ['another shape', JSON.stringify({ ...job, options: { ...job.options, pace: 0 } }), 'pace'],
    ['another schema', JSON.stringify({ ...job, schema: 'nightscribe.job/2' }), 'schema'],
  ])('says what is wrong with %s, and where', async (_, text, where) => {
    await store.put('jobs/j1/job.json', Buffer.from(text), options)
    const read = readJson(store, 'jobs/j1/job.json', jobDocument, options)
    await expect(read).rejects.toMatchObject({
      name: 'ProtocolError',
      message: expect.stringMatching(new RegExp(`jobs/j1/job\\.json.*${where}`)),
    })
  })

  it('is not read when it is larger than any document of ours', async () => {
    await store.put('huge.json', Buffer.from('{}'), options)
    await truncate(join(root, 'huge.json'), 64 * 2 ** 20 + 1)
    await expect(readJson(store, 'huge.json', jobDocument, options)).rejects.toMatchObject({
      name: 'InputError',
      code: 'media_too_large',
      message: expect.stringContaining('huge.json'),
    })
  })
})

describe('documents as the contract has them', () => {
  it('takes the analysis', () => {
    const analysis = {
      schema: 'nightscribe.analysis/1',
      duration_ms: 1834520,
      duration_method: 'decoded',
      samples: 29352320,
      decode_ms: 9000,
      container: 'webm',
      codec: 'opus',
      sample_rate: 48000,
      channels: 2,
      sha256: 'ab',
      audio_key: 'jobs/j1/audio.flac',
      lanes: [
        {
          channel: null,
          level_dbfs: -23.1,
          speech: { method: 'silero-v6', segments_ms: [[2210, 5090]], speech_ms: 1200340 },
          pauses_ms: [[5090, 5620]],
          peaks: { per_second: 20, key: 'jobs/j1/peaks.bin' },
        },
      ],
      warnings: [],
    }
    const parsed = analysisDocument.parse(analysis)
    expect(JSON.parse(JSON.stringify(parsed))).toEqual(analysis)
    expect(analysisDocument.safeParse({ ...analysis, lanes: [] }).success).toBe(false)
  })

  it('takes the manifest, and none without its source', () => {
    const manifest = {
      schema: 'nightscribe.manifest/1',
      job_id: 'j1',
      fence: 2,
      completed_at: '2026-11-21T04:00:00.000Z',
      source: { bucket: 'b', key: 'k', version_id: null, etag: 'e' },
      outputs: [
        { name: 'transcript.json', key: 'jobs/j1/a2/transcript.json', bytes: 1, sha256: 'ab' },
      ],
      warnings: [],
    }
    expect(manifestDocument.parse(manifest)).toEqual(manifest)
    expect(manifestDocument.safeParse({ ...manifest, source: undefined }).success).toBe(false)
  })
})
