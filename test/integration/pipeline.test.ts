import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceAddress } from '../../src/pipeline/intake/source-address.js'
import { type Submission, submitRecording } from '../../src/pipeline/intake/submit-recording.js'
import { cancelJob, retryJob } from '../../src/pipeline/lifecycle/end-job.js'
import { reconcileJobs } from '../../src/pipeline/lifecycle/reconcile-jobs.js'
import { readManifest } from '../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../src/pipeline/result/read-output.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { type ToneRecording, toneRecording } from '../fakes/tone-recording.js'

const signal = new AbortController().signal
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-tones-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface StoredTranscript {
  text: string
  words: { word: string; end: number; channel: number | null; interpolated: { end: boolean } }[]
  timing: { method: string; verified: boolean }
  engine: { is_standin: boolean }
  legs: { deltas: number; timing: string; cut: string }[]
  segments: { id: number; text: string }[]
  warnings: string[]
}

async function submit(
  stack: DevStack,
  name: string,
  bytes: Buffer,
  changes: Partial<Submission> = {},
) {
  const key = `in/${name}`
  await stack.ports.store.put(key, bytes, { signal })
  const address = sourceAddress(stack.ports.store, key)
  const options = {
    channels: 'mix',
    pace: 'max',
    priority: 0,
    deadlineAt: null,
    tenant: 'default',
  } as const
  return await submitRecording(stack.ports, { ...address, ...options, ...changes }, { signal })
}

async function output(stack: DevStack, jobId: string, name: string): Promise<string> {
  const manifest = await readManifest(stack.ports.store, jobId, { signal })
  const key = manifest?.outputs.find((entry) => entry.name === name)?.key ?? `no ${name}`
  return (await readOutput(stack.ports, key, { signal })).toString()
}

async function transcript(stack: DevStack, jobId: string): Promise<StoredTranscript> {
  return JSON.parse(await output(stack, jobId, 'transcript.json'))
}

async function keysOf(stack: DevStack, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of stack.ports.store.list(prefix, { signal })) keys.push(key)
  return keys
}

function expectWords(
  stored: StoredTranscript,
  recording: ToneRecording,
  channel: number | null = null,
) {
  const heard = stored.words.filter((word) => word.channel === channel)
  const said = recording.words[channel ?? 0] ?? []
  expect(heard.map(({ word }) => word)).toEqual(said.map(({ text }) => text))
  for (const [index, { end }] of heard.entries()) {
    expect(Math.abs(end * 1000 - (said[index]?.endMs ?? 0))).toBeLessThanOrEqual(80)
  }
}

describe('a recording in storage becomes a transcript', () => {
  it('with every word once, in order, at its time; and nothing of it left but the result', async () => {
    await using stack = await startDevStack()
    await stack.startWorker()
    const encode = { ending: 'mp3', args: ['-b:a', '32k'] }
    const recording = await toneRecording({ folder, seed: 1, count: 20, encode })
    const outcome = await submit(stack, 'a.mp3', recording.bytes)
    const [record] = await stack.ended([outcome.jobId])
    expect(record).toMatchObject({ status: 'completed', error: null, engineIsStandin: true })
    const stored = await transcript(stack, outcome.jobId)
    expectWords(stored, recording)
    expect(stored.timing).toMatchObject({ method: 'token-step', verified: true })
    expect(stored.engine.is_standin).toBe(true)
    expect(stored.legs).toHaveLength(1)
    for (const name of ['transcript.srt', 'transcript.vtt', 'transcript.txt', 'transcript.tsv']) {
      expect(await output(stack, outcome.jobId, name)).toContain(recording.words[0]?.[0]?.text)
    }
    const metrics = JSON.parse(await output(stack, outcome.jobId, 'metrics.json'))
    expect(metrics).toMatchObject({ tokens: stored.legs[0]?.deltas, engine_is_standin: true })
    const keys = await keysOf(stack, `jobs/${outcome.jobId}/`)
    expect(keys).toContain(`jobs/${outcome.jobId}/manifest.json`)
    expect(keys).not.toContain(`jobs/${outcome.jobId}/audio.flac`)
    const again = await submit(stack, 'a.mp3', recording.bytes)
    expect(again).toMatchObject({ kind: 'done', jobId: outcome.jobId })
  })

  it('with a lane for each channel, merged by time', async () => {
    await using stack = await startDevStack()
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 2, count: 12, channels: 2 })
    const { jobId } = await submit(stack, 'call.wav', recording.bytes, { channels: 'split' })
    await stack.ended([jobId])
    const stored = await transcript(stack, jobId)
    expectWords(stored, recording, 0)
    expectWords(stored, recording, 1)
    const ends = stored.words.map(({ end }) => end)
    expect(ends).toHaveLength(24)
    expect(await output(stack, jobId, 'transcript.txt')).toMatch(
      /\[Channel 1\][\s\S]*\[Channel 2\]/,
    )
  })

  it('silence gives an empty transcript, not an error', async () => {
    await using stack = await startDevStack()
    await stack.startWorker()
    const silent = await toneRecording({ folder, seed: 3, count: 0, everyMs: 400 })
    const { jobId } = await submit(stack, 'silence.wav', silent.bytes)
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed' }])
    const stored = await transcript(stack, jobId)
    expect(stored).toMatchObject({ text: '', segments: [], words: [] })
    expect(await output(stack, jobId, 'transcript.vtt')).toMatch(/^WEBVTT/)
  })

  it('two workers, 50 jobs: each once, one manifest each', async () => {
    await using stack = await startDevStack()
    const recordings = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        toneRecording({ folder, seed: 100 + index, count: 4 }),
      ),
    )
    const jobIds: string[] = []
    for (const [index, { bytes }] of recordings.entries()) {
      jobIds.push((await submit(stack, `${index}.wav`, bytes)).jobId)
    }
    await Promise.all([stack.startWorker(), stack.startWorker()])
    const records = await stack.ended(jobIds)
    expect(records.map(({ status }) => status)).toEqual(jobIds.map(() => 'completed'))
    expect(records.map(({ attempt: attempts }) => attempts)).toEqual(jobIds.map(() => 1))
    for (const [index, jobId] of jobIds.entries()) {
      expectWords(await transcript(stack, jobId), recordings[index] as ToneRecording)
      const keys = await keysOf(stack, `jobs/${jobId}/`)
      expect(keys.filter((key) => key.endsWith('manifest.json'))).toHaveLength(1)
      expect(keys.filter((key) => key.includes('/a2/'))).toEqual([])
    }
  })
})

describe('what goes wrong on the way', () => {
  it('a session that breaks is carried again, and every word still comes once', async () => {
    // The first connection is the engine's warm-up.
    const faults = [{ kind: 'drop', afterDeltas: 20, sessions: [1] }] as const
    await using stack = await startDevStack({}, { faults })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 4, count: 20 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes)
    const [record] = await stack.ended([jobId])
    expect(record).toMatchObject({ status: 'completed', attempt: 1, error: null })
    expectWords(await transcript(stack, jobId), recording)
    const metrics = JSON.parse(await output(stack, jobId, 'metrics.json'))
    expect(metrics).toMatchObject({ reconnects: 1, rotations: 0 })
  })

  it('a server without right padding is padded by us, and its words and times are whole', async () => {
    await using stack = await startDevStack({}, { faults: [{ kind: 'no_right_padding' }] })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 5, count: 8 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes)
    const [record] = await stack.ended([jobId])
    expect(record).toMatchObject({ status: 'completed', attempt: 1, warnings: [] })
    const stored = await transcript(stack, jobId)
    expectWords(stored, recording)
    expect(stored.timing).toMatchObject({ method: 'token-step', verified: true })
    const metrics = JSON.parse(await output(stack, jobId, 'metrics.json'))
    expect(metrics.reconnects).toBe(0) // the warm-up has told
  })

  it('sessions that always break fail the job after the last try, and a retry revives it', async () => {
    // A warm-up of a second ends before this.
    const faults = [{ kind: 'drop', afterDeltas: 30 }] as const
    await using stack = await startDevStack({}, { faults })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 6, count: 8 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes)
    const [record] = await stack.ended([jobId])
    expect(record).toMatchObject({
      status: 'failed',
      error: { code: 'engine_crashed' },
      attempt: 3,
    })
    expect(await keysOf(stack, `jobs/${jobId}/a3/`)).toEqual([`jobs/${jobId}/a3/failure.json`])
    expect(await reconcileJobs(stack.ports, { signal })).toEqual([])
    stack.standin.setFaults([])
    while (await stack.ports.queue.has(jobId, { signal }))
      await new Promise((resolve) => setImmediate(resolve))
    await retryJob(stack.ports, jobId, { signal })
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 4 }])
    expectWords(await transcript(stack, jobId), recording)
    await expect(retryJob(stack.ports, jobId, { signal })).rejects.toThrow('is done')
  })

  it('a job waits, with nothing lost, while no engine takes sessions', async () => {
    await using stack = await startDevStack({}, { faults: [{ kind: 'refuse', status: 503 }] })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 14, count: 4 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes)
    await until(async () => (await stack.ports.jobStore.get(jobId, { signal }))?.waiting != null)
    const record = await stack.ports.jobStore.get(jobId, { signal })
    expect(record).toMatchObject({ status: 'queued', attempt: 0, waiting: { place: 1 } })
    expect(record?.waiting?.reason).toContain('No engine is up')
    stack.standin.setFaults([])
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 1 }])
    expectWords(await transcript(stack, jobId), recording)
  })

  it('a job is canceled while it waits, and while it runs', async () => {
    await using stack = await startDevStack()
    const recording = await toneRecording({ folder, seed: 7, count: 40 })
    const waits = await submit(stack, 'waits.wav', recording.bytes)
    expect(await cancelJob(stack.ports, waits.jobId, { signal })).toBe('canceled')
    expect(await cancelJob(stack.ports, waits.jobId, { signal })).toBe('ended')
    await stack.startWorker()
    const runs = await submit(stack, 'runs.wav', recording.bytes, { pace: 1 })
    await stack.until(runs.jobId, ({ status }) => status === 'running')
    expect(await cancelJob(stack.ports, runs.jobId, { signal })).toBe('requested')
    const records = await stack.ended([waits.jobId, runs.jobId])
    expect(records.map(({ status }) => status)).toEqual(['canceled', 'canceled'])
    expect(await readManifest(stack.ports.store, runs.jobId, { signal })).toBeNull()
    await expect(cancelJob(stack.ports, 'nosuchjob', { signal })).rejects.toMatchObject({
      code: 'job_not_found',
    })
  })

  it('a worker that stops hands its job back, and another finishes it', async () => {
    await using stack = await startDevStack()
    const first = await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 8, count: 30 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes, { pace: 1 })
    await stack.until(jobId, ({ status }) => status === 'running')
    await first.drain()
    expect((await stack.ports.jobStore.get(jobId, { signal }))?.status).toBe('queued')
    await stack.startWorker()
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 2 }])
    expectWords(await transcript(stack, jobId), recording)
  })

  it('jobs that Redis has forgotten are found in storage', async () => {
    await using stack = await startDevStack()
    const recording = await toneRecording({ folder, seed: 9, count: 4 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes)
    await stack.ports.redis.flushall()
    await stack.startWorker()
    await until(async () => (await stack.ports.jobStore.get(jobId, { signal })) !== null)
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed' }])
  })

  it('a recording that is replaced after it was submitted is refused', async () => {
    await using stack = await startDevStack()
    const recording = await toneRecording({ folder, seed: 10, count: 4 })
    const other = await toneRecording({ folder, seed: 11, count: 4 })
    const { jobId } = await submit(stack, 'a.wav', recording.bytes)
    await stack.ports.store.put('in/a.wav', other.bytes, { signal })
    await stack.startWorker()
    const [record] = await stack.ended([jobId])
    expect(record).toMatchObject({
      status: 'failed',
      error: { code: 'media_changed', stage: 'analyse' },
    })
  })

  it('a recording that no engine can ever hold is refused with the reason', async () => {
    // One block more than a session's first step needs, and the shortest leg needs more.
    await using stack = await startDevStack({}, { blocks: 8 })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 12, count: 60 })
    const { jobId } = await submit(stack, 'long.wav', recording.bytes)
    const [record] = await stack.ended([jobId])
    expect(record?.error).toMatchObject({ code: 'media_too_long', retryable: false })
    expect(record?.error?.detail).toMatch(/long\.wav doesn't fit.*KV blocks/)
  })
})

describe('a recording longer than a session may be', () => {
  it('is carried leg by leg, and reads as if it had been one', async () => {
    await using stack = await startDevStack({
      legs: { floorMs: 3_000, ceilingMs: 6_000, openAheadMs: 100 },
    })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 13, count: 80 })
    const { jobId } = await submit(stack, 'long.wav', recording.bytes, { pace: 2 })
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 1 }])
    const result = await transcript(stack, jobId)
    expectWords(result, recording)
    expect(result.legs.length).toBeGreaterThan(4)
    expect(result.timing).toMatchObject({ verified: true })
  })
})

describe('an engine that is not what the settings say', () => {
  it.each([
    [
      'a key is missing',
      { engineKey: null },
      'ConfigError',
      'engine_unauthorized',
      'NIGHTSCRIBE_ENGINE_KEY',
    ],
    [
      'the key is wrong',
      { engineKey: 'x' },
      'ConfigError',
      'engine_unauthorized',
      'NIGHTSCRIBE_ENGINE_KEY',
    ],
    [
      'nobody answers',
      { engines: ['ws://127.0.0.1:1/v1/realtime'] },
      'UpstreamError',
      'engine_unavailable',
      'ws://127.0.0.1:1/v1/realtime',
    ],
    ['no engine is named', { engines: [] }, 'ConfigError', 'config_invalid', 'NIGHTSCRIBE_ENGINES'],
  ])(
    '%s: the worker does not start and says so in one sentence',
    async (_, changes, name, code, word) => {
      await using stack = await startDevStack()
      const error = await stack.startWorker(changes).catch((thrown) => thrown)
      expect(error).toMatchObject({ name, code })
      expect(error.message).toContain(word)
      expect(error.message).not.toContain('\n')
    },
  )

  it('it serves another model', async () => {
    await using stack = await startDevStack({}, { modelId: 'some/other-model' })
    const error = await stack.startWorker().catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'ConfigError', code: 'engine_model_missing' })
    expect(error.message).toContain('some/other-model')
  })
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}
