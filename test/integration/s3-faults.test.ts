import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { retryJob } from '../../src/pipeline/lifecycle/end-job.js'
import { readFailure } from '../../src/pipeline/lifecycle/failure-record.js'
import { reconcileJobs } from '../../src/pipeline/lifecycle/reconcile-jobs.js'
import type { JobRecord } from '../../src/queue/index.js'
import { jobPrefix } from '../../src/storage/keys.js'
import { openS3Store, type S3StoreOptions } from '../../src/storage/s3/s3-object-store.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { instantClock } from '../fakes/instant-clock.js'
import { type Radosgw, startRadosgw } from '../fakes/radosgw.js'
import {
  type S3FaultProxy,
  type S3RequestLine,
  type SetFault,
  startS3FaultProxy,
} from '../fakes/s3-fault-proxy.js'
import { type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { expectWords, submitTo, transcriptOf } from '../job-results.js'

const signal = new AbortController().signal
const slowDown = { kind: 'error', status: 503, code: 'SlowDown' } as const
let server: Radosgw
let proxy: S3FaultProxy
let stack: DevStack
let folder: string
let seed = 7_200
const standing: SetFault[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-s3-faults-'))
  server = await startRadosgw()
  await server.createBucket('meetings')
  proxy = await startS3FaultProxy(server.endpoint)
  const { accessKeyId, secretAccessKey } = server
  stack = await startDevStack({
    storage: 's3://meetings/archive',
    s3: { endpoint: proxy.endpoint, accessKeyId, secretAccessKey },
  })
  await stack.startWorker()
})
afterEach(() => {
  for (const fault of standing.splice(0)) fault.lift()
})
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  await proxy?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const set: S3FaultProxy['set'] = (fault, plan) => {
  const made = proxy.set(fault, plan)
  standing.push(made)
  return made
}

/** Requests of a method for an object whose key ends so, as they are sent. */
function asks(method: string, keyEnd: string): (request: S3RequestLine) => boolean {
  return ({ method: sent, path }) => {
    const [key = ''] = path.split('?')
    return sent === method && key.endsWith(keyEnd)
  }
}

/** A store of our own beside that of the stack. */
function openStore(changes: Partial<S3StoreOptions> = {}) {
  const { accessKeyId, secretAccessKey } = server
  return openS3Store({
    ...{ url: 's3://meetings/alone', endpoint: proxy.endpoint, accessKeyId, secretAccessKey },
    ...{ region: 'us-east-1', pathStyle: null, checksums: 'when_required' },
    ...{ clock: systemClock(), random: systemRandom() },
    ...changes,
  })
}

/** Twelve words in 5 s, 170 kB. */
async function submitted(name: string): Promise<{ jobId: string; recording: ToneRecording }> {
  seed += 1
  const recording = await toneRecording({ folder, seed, count: 12 })
  return { jobId: await submitTo(stack, name, recording.bytes), recording }
}

async function expectComplete(jobId: string, recording: ToneRecording): Promise<void> {
  expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', error: null }])
  expectWords(await transcriptOf(stack, jobId), recording)
}

async function failedCard(jobId: string): Promise<JobRecord> {
  const [record] = await stack.ended([jobId])
  if (!record) throw new Error(`${jobId} has no card`)
  expect(record.status).toBe('failed')
  return record
}

describe('a job whose S3', () => {
  it('is too busy goes on when it has time', async () => {
    const faults = [
      set(slowDown, { times: 3, when: asks('PUT', '/audio.flac') }),
      set(slowDown, { times: 2, when: asks('GET', '/analysis.json') }),
      set(slowDown, { times: 2, when: asks('PUT', '/manifest.json') }),
    ]
    const { jobId, recording } = await submitted('busy.wav')
    await expectComplete(jobId, recording)
    expect(faults.map(({ strikes }) => strikes)).toEqual([3, 2, 2])
  })

  it('breaks off in the middle of the recording and of the decoded audio reads on there', async () => {
    const source = { kind: 'cut-body', afterBytes: 30_000 } as const
    const cutSource = set(source, { times: 3, when: asks('GET', '/in/broken.wav') })
    const audio = { kind: 'cut-body', afterBytes: 9_000 } as const
    const cutAudio = set(audio, { times: 2, when: asks('GET', '/audio.flac') })
    const { jobId, recording } = await submitted('broken.wav')
    await expectComplete(jobId, recording)
    expect([cutSource.strikes, cutAudio.strikes]).toEqual([3, 2])
  })

  it('loses the answer to the commit has one manifest, and it is its own', async () => {
    const lost = set({ kind: 'lost-answer' }, { times: 1, when: asks('PUT', '/manifest.json') })
    const files = set({ kind: 'lost-answer' }, { times: 2, when: asks('PUT', '.json') })
    const { jobId, recording } = await submitted('lost.wav')
    await expectComplete(jobId, recording)
    expect([lost.strikes, files.strikes]).toEqual([1, 2])
    const fences = new Set<string>()
    for await (const { key } of stack.ports.store.list(jobPrefix(jobId), { signal })) {
      fences.add(/\/a(\d+)\//.exec(key)?.[1] ?? 'job')
    }
    expect([...fences].sort()).toEqual(['1', 'job'])
  })

  it('has another recording under its key, while it is read, says so and is not tried again', async () => {
    const other = Buffer.alloc(180_000, 1)
    const replace = () => server.putObject('meetings', 'archive/in/changed.wav', other)
    const when = asks('GET', '/in/changed.wav')
    set({ kind: 'cut-body', afterBytes: 50_000 }, { times: 1, when })
    set({ kind: 'cut-body', afterBytes: Infinity }, { times: 1, when, onStrike: replace })
    const { jobId } = await submitted('changed.wav')
    const record = await failedCard(jobId)
    expect(record.error).toMatchObject({
      code: 'media_changed',
      retryable: false,
      stage: 'analyse',
    })
    expect(record.error?.detail).toMatch(/in\/changed\.wav in s3:\/\/meetings.*submit it again/)
  })

  it('denies the recording says which right is missing and is not tried again', async () => {
    const denied = { kind: 'error', status: 403, code: 'AccessDenied' } as const
    const fault = set(denied, { when: asks('GET', '/in/denied.wav') })
    const { jobId } = await submitted('denied.wav')
    const { error } = await failedCard(jobId)
    expect(error).toMatchObject({ code: 'input_forbidden', retryable: false })
    expect(error?.detail).toMatch(/in\/denied\.wav in s3:\/\/meetings.*s3:GetObject/)
    expect(fault.strikes).toBe(1)
  })

  it('denies our own work for a while goes on when the right is back: no recording is to blame', async () => {
    const denied = { kind: 'error', status: 403, code: 'AccessDenied' } as const
    const analysis = set(denied, { times: 1, when: asks('GET', '/analysis.json') })
    const audio = set(denied, { times: 1, when: asks('GET', '/audio.flac') })
    const { jobId, recording } = await submitted('revoked.wav')
    await expectComplete(jobId, recording)
    expect([analysis.strikes, audio.strikes]).toEqual([1, 1])
    const notes = (await stack.ports.jobStore.history(jobId, { signal })).map(({ entry }) => entry)
    expect(notes.filter(({ kind }) => kind === 'attempt-failed')).toMatchObject([
      { error: { code: 'storage_unavailable', retryable: true } },
      { error: { code: 'storage_unavailable', retryable: true } },
    ])
  })

  it.each([
    ['denies writing', 403, 'AccessDenied', 'output_write_failed', /audio\.flac.*s3:PutObject/],
    ['has lost its bucket', 404, 'NoSuchBucket', 'config_invalid', /NIGHTSCRIBE_STORAGE/],
  ])(
    '%s fails when its tries are used up, and can be retried',
    async (_, status, code, ours, words) => {
      const isAll = code === 'NoSuchBucket'
      const gone = { kind: 'error', status, code } as const
      const onStrike = () => {
        set(gone, { when: ({ method }) => isAll || method === 'PUT' })
      }
      const first = set(gone, { times: 1, when: asks('PUT', '/audio.flac'), onStrike })
      const { jobId, recording } = await submitted(`${code}.wav`)
      const { error, failuresSinceProgress } = await failedCard(jobId)
      expect(error).toMatchObject({ code: ours, detail: expect.stringMatching(words) })
      expect(error?.detail).toContain('s3://meetings/archive')
      expect([first.strikes, failuresSinceProgress]).toEqual([1, stack.settings.queue.attemptsMax])
      for (const fault of standing) fault.lift()
      // What still stands in the queue isn't looked at.
      while (await stack.ports.queue.has(jobId, { signal })) await turn()
      await reconcileJobs(stack.ports, { signal })
      expect(await readFailure(stack.ports.store, jobId, { signal })).toMatchObject({ code: ours })
      await retryJob(stack.ports, jobId, { signal })
      await expectComplete(jobId, recording)
    },
  )
})

describe('an S3 store', () => {
  it('gives a silent server three chances, and one that stalls in a body as many as it needs', async () => {
    const clock = instantClock()
    const store = openStore({ clock, timeouts: { answerMs: 1_500, idleMs: 700 } })
    const body = Buffer.alloc(400_000, 'spoken words ')
    await openStore({ clock }).put('a.wav', body, { signal })
    const stall = { kind: 'stall-body', afterBytes: 100_000 } as const
    const stalled = set(stall, { times: 3, when: asks('GET', '/a.wav') })
    const chunks: Uint8Array[] = []
    for await (const chunk of (await store.get('a.wav', { signal })).body) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(body)).toBe(true)
    expect(stalled.strikes).toBe(3)
    const silent = set({ kind: 'silence' }, { when: asks('GET', '/a.wav') })
    await expect(store.get('a.wav', { signal })).rejects.toMatchObject({
      ...{ name: 'UpstreamError', code: 'storage_unavailable', retryable: true, effect: 'none' },
      message: expect.stringMatching(/a\.wav in s3:\/\/meetings\/alone.*Timeout/),
    })
    expect(silent.strikes).toBe(3)
  })

  it('waits longer from try to try for one that is too busy, and then says so', async () => {
    const clock = instantClock()
    const store = openStore({ clock, random: { ...systemRandom(), uniform: () => 0 } })
    const busy = set(slowDown)
    await expect(store.head('a.wav', { signal })).rejects.toMatchObject({
      ...{ name: 'UpstreamError', code: 'storage_unavailable', retryable: true },
      message: expect.stringContaining('HTTP 503'),
    })
    expect(busy.strikes).toBe(8)
    expect(clock.sleptMs).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 8_000])
  })

  it('stops at once while it waits for one that is too busy', async () => {
    const busy = set(slowDown)
    const controller = new AbortController()
    const reason = new Error('stop')
    const clock = { ...systemClock(), sleepUntil: waitsFor(controller, reason) }
    await expect(openStore({ clock }).head('a.wav', controller)).rejects.toBe(reason)
    expect(busy.strikes).toBe(1)
  })

  it('says a create that was done although its answer was lost exists already', async () => {
    const store = openStore({ clock: instantClock() })
    const lost = set({ kind: 'lost-answer' }, { times: 1, when: asks('PUT', '/once.json') })
    const body = Buffer.from('{}')
    const outcome = await store.put('once.json', body, { signal, onlyIfAbsent: true })
    expect(outcome).toEqual({ kind: 'exists' })
    expect(lost.strikes).toBe(1)
  })

  it('stores a long stream whose parts fail now and then, whole and without leftovers', async () => {
    const store = openStore({ clock: instantClock() })
    const body = Buffer.alloc(20_000_000, 'spoken words ')
    async function* stream() {
      for (let at = 0; at < body.length; at += 1_000_000) yield body.subarray(at, at + 1_000_000)
    }
    const isPart = ({ path }: S3RequestLine) => path.includes('partNumber=')
    const busy = set(slowDown, { times: 3, when: isPart })
    const lost = set({ kind: 'lost-answer' }, { times: 2, when: isPart })
    await store.put('long.flac', stream(), { signal })
    expect([busy.strikes, lost.strikes]).toEqual([3, 2])
    expect((await store.head('long.flac', { signal })).bytes).toBe(body.length)
    const left: string[] = []
    for await (const { id } of store.unfinished({ signal })) left.push(id)
    expect(left).toEqual([])
  })
})

/** A sleep during which somebody says stop. */
function waitsFor(controller: AbortController, reason: Error) {
  return async (_: number, options: { signal: AbortSignal }) => {
    const told = new Promise<never>((_resolve, reject) => {
      options.signal.addEventListener('abort', () => reject(options.signal.reason), { once: true })
    })
    controller.abort(reason)
    await told
  }
}
