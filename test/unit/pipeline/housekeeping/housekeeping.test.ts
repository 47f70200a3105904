import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ABANDONED_AGE_MS,
  abandonedPut,
  hasMoreThanResult,
  type JobPrefix,
  leftoversOfJob,
  SETTLED_AGE_MS,
} from '../../../../src/pipeline/housekeeping/housekeeping.js'
import { jobIdOf } from '../../../../src/pipeline/intake/job-id.js'
import { isJobId } from '../../../../src/storage/keys.js'

const NOW_MS = 1_800_000_000_000
const jobId = jobIdOf({
  tenant: 'default',
  bucket: 'b',
  key: 'k',
  versionId: null,
  etag: 'e',
  channels: 'mix',
})

interface Given {
  names: readonly string[]
  ageMs?: number
  fence?: number | null
  isQueued?: boolean
  id?: string
}

function prefixOf({ names, ageMs = ABANDONED_AGE_MS, fence, isQueued = false, id = jobId }: Given) {
  const key = (name: string) => `jobs/${id}/${name}`
  const outputs = fence ? [`a${fence}/transcript.json`, `a${fence}/metrics.json`] : []
  const all = [...new Set([...names, ...outputs, ...(fence ? ['manifest.json'] : [])])]
  const prefix: JobPrefix = {
    ...{ jobId: id, isQueued, nowMs: NOW_MS },
    objects: all.map((name) => ({ key: key(name), bytes: 10, modifiedMs: NOW_MS - ageMs })),
    manifest: fence
      ? {
          schema: 'nightscribe.manifest/1',
          ...{ job_id: id, fence, completed_at: '2026-11-21T04:00:00.000Z', warnings: [] },
          source: { bucket: 'b', key: 'k', version_id: null, etag: 'e' },
          outputs: outputs.map((name) => ({ name, key: key(name), bytes: 10, sha256: '' })),
        }
      : null,
  }
  return prefix
}

const removedFrom = (prefix: JobPrefix) =>
  leftoversOfJob(prefix)
    .flatMap(({ keys }) => keys)
    .map((key) => key.slice(`jobs/${prefix.jobId}/`.length))
    .sort()

const RESULT = ['job.json', 'analysis.json', 'peaks.bin', 'peaks-0.bin']
const REST = [
  'a1/failure.json',
  'a1/transcript.srt',
  'a3/transcript.json',
  'audio.flac',
  'checkpoints/1-000001.json',
  'checkpoints/2-000007.json',
]

describe('a job that is done', () => {
  it('loses what is beside its result, grouped and explained', () => {
    const prefix = prefixOf({ names: [...RESULT, ...REST], fence: 2 })
    expect(removedFrom(prefix)).toEqual(REST)
    expect(
      leftoversOfJob(prefix).map(({ kind, name, items, bytes }) => [kind, name, items, bytes]),
    ).toEqual([
      ['attempt', `jobs/${jobId}/a1/`, 2, 20],
      ['attempt', `jobs/${jobId}/a3/`, 1, 10],
      ['audio', `jobs/${jobId}/audio.flac`, 1, 10],
      ['checkpoint', `jobs/${jobId}/checkpoints/`, 2, 20],
    ])
  })

  it.each<[string, Partial<Given>]>([
    ['while its manifest is younger than an hour', { ageMs: SETTLED_AGE_MS - 1 }],
    ['while a worker has it, or may get it', { isQueued: true }],
    ['when its listing is of the future', { ageMs: -5_000 }],
    ['when its name is none of ours', { id: 'meetings-2026' }],
  ])('keeps all %s', (_when, change) => {
    expect(removedFrom(prefixOf({ names: [...RESULT, ...REST], fence: 2, ...change }))).toEqual([])
  })

  it('keeps all when the manifest can’t be read, is another job’s, or its result isn’t whole', () => {
    const prefix = prefixOf({ names: REST, fence: 2 })
    const { manifest } = prefix
    if (!manifest) throw new Error('there is one')
    expect(removedFrom({ ...prefix, manifest: null })).toEqual([])
    expect(removedFrom({ ...prefix, manifest: { ...manifest, job_id: 'x' } })).toEqual([])
    const torn = prefix.objects.filter(({ key }) => !key.endsWith('a2/metrics.json'))
    expect(removedFrom({ ...prefix, objects: torn })).toEqual([])
    const cut = prefix.objects.map((each) =>
      each.key.endsWith('a2/metrics.json') ? { ...each, bytes: 9 } : each,
    )
    expect(removedFrom({ ...prefix, objects: cut })).toEqual([])
  })

  it('keeps what a manifest names, wherever it lies, and what isn’t ours', () => {
    const prefix = prefixOf({ names: ['a1/transcript.txt', 'a1/Notes.docx', 'my.wav'], fence: 2 })
    const { manifest } = prefix
    if (!manifest) throw new Error('there is one')
    const key = `jobs/${jobId}/a1/transcript.txt`
    const outputs = [...manifest.outputs, { name: 't', key, bytes: 10, sha256: '' }]
    expect(removedFrom(prefix)).toEqual(['a1/transcript.txt'])
    expect(removedFrom({ ...prefix, manifest: { ...manifest, outputs } })).toEqual([])
  })

  it('keeps what a zombie has written just now, for the next time', () => {
    const prefix = prefixOf({ names: ['a1/transcript.json', 'audio.flac'], fence: 2 })
    const objects = prefix.objects.map((each) =>
      each.key.includes('/a1/') ? { ...each, modifiedMs: NOW_MS - 1_000 } : each,
    )
    expect(removedFrom({ ...prefix, objects })).toEqual(['audio.flac'])
  })
})

describe('a job without a manifest', () => {
  it.each([
    ['that runs or waits', ['job.json', ...REST]],
    [
      'that has failed, and may go on from its checkpoint',
      ['job.json', 'a1/failure.json', ...REST],
    ],
    ['that is only written down', ['job.json']],
  ])('keeps all: one %s', (_what, names) => {
    expect(removedFrom(prefixOf({ names, ageMs: 100 * ABANDONED_AGE_MS }))).toEqual([])
  })

  it('and without a document loses all after a day, unless something isn’t ours', () => {
    const names = [...REST, 'analysis.json']
    expect(removedFrom(prefixOf({ names }))).toEqual([...names].sort())
    expect(removedFrom(prefixOf({ names, ageMs: ABANDONED_AGE_MS - 1 }))).toEqual([])
    expect(removedFrom(prefixOf({ names, isQueued: true }))).toEqual([])
    expect(removedFrom(prefixOf({ names: [...names, 'board-meeting.wav'] }))).toEqual([])
    expect(removedFrom(prefixOf({ names, id: 'x'.repeat(27) }))).toEqual([])
  })
})

describe('whatever lies below a job', () => {
  const name = fc.oneof(
    fc.constantFrom(...RESULT, ...REST, 'a2/transcript.vtt', 'recording.wav', 'source.flac'),
    fc.string({ maxLength: 12 }),
  )
  const given = fc.record({
    names: fc.uniqueArray(name, { maxLength: 12 }),
    ageMs: fc.integer({ min: -ABANDONED_AGE_MS, max: 3 * ABANDONED_AGE_MS }),
    fence: fc.constantFrom(null, 1, 2),
    isQueued: fc.boolean(),
  })

  it('no result, no document and nothing of others ever goes, and nothing of an unfinished job', () => {
    fc.assert(
      fc.property(given, (some) => {
        const removed = removedFrom(prefixOf(some))
        const isUnfinished = some.fence === null && some.names.includes('job.json')
        if (isUnfinished || some.isQueued) expect(removed).toEqual([])
        const own = `a${some.fence}/`
        for (const each of removed) {
          expect(each).toMatch(/^(a\d+\/|checkpoints\/|audio\.flac$|analysis\.json$|peaks)/)
          expect(each.startsWith(own)).toBe(false)
          if (some.fence !== null) expect(RESULT).not.toContain(each)
        }
      }),
    )
  })

  it('is looked at closely only where something may go', () => {
    fc.assert(
      fc.property(given, (some) => {
        const prefix = prefixOf({ ...some, fence: 2 })
        if (!hasMoreThanResult(prefix)) expect(removedFrom(prefix)).toEqual([])
      }),
    )
    expect(hasMoreThanResult(prefixOf({ names: RESULT, fence: 2 }))).toBe(false)
    expect(hasMoreThanResult(prefixOf({ names: ['audio.flac'], fence: 2 }))).toBe(true)
  })

  it('jobs have names that folders of recordings have not', () => {
    expect(isJobId(jobId)).toBe(true)
    for (const other of ['', '2026-11', jobId.toUpperCase(), `${jobId}0`]) {
      expect(isJobId(other)).toBe(false)
    }
  })
})

describe('a put that has not ended', () => {
  const put = (key: string | null, ageMs = ABANDONED_AGE_MS) =>
    abandonedPut({ id: 'u1', key, bytes: 7, touchedMs: NOW_MS - ageMs }, NOW_MS)

  it('is left over after a day, where its key is one of ours', () => {
    const recording = `recordings/${'0'.repeat(32)}/source.wav`
    for (const key of [null, `jobs/${jobId}/audio.flac`, recording]) {
      expect(put(key)).toMatchObject({ kind: 'unfinished', name: key ?? 'u1', bytes: 7 })
      expect(put(key, ABANDONED_AGE_MS - 1)).toBeNull()
    }
    for (const key of ['film.mp4', 'jobs/2026/audio.flac', 'recordings/may/source.wav']) {
      expect(put(key)).toBeNull()
    }
  })
})
