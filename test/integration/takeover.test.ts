import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunningChild } from '../../src/cli/stack/child-process.js'
import { checkpointPrefix, jobPrefix, manifestKey } from '../../src/storage/keys.js'
import { carrierOf, type DevStack, startDevStack } from '../dev-stack.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, submitTo, transcriptOf } from '../job-results.js'

const signal = new AbortController().signal
const PACE = 4
/** Enough to be killed in, after a checkpoint and before the end. */
const WORDS = 280
/** What may be sent again of a job that changes workers. */
const CHECKPOINT_MS = 60_000

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-takeover-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Two and a half minutes of phrases of three seconds. */
async function recording(seed: number): Promise<ToneRecording> {
  return await toneRecording({ folder, seed, count: WORDS, pauseBeforeMs: phrases(8) })
}

async function keysOf(stack: DevStack, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of stack.ports.store.list(prefix, { signal })) keys.push(key)
  return keys
}

/** Waits until the text of a job is safe up to some minute. */
async function untilSafe(stack: DevStack, jobId: string): Promise<void> {
  await stack.until(jobId, (record) => record.checkpointedAudioMs > 30_000)
}

async function metricsOf(stack: DevStack, jobId: string, fence: number) {
  const key = `${jobPrefix(jobId)}a${fence}/metrics.json`
  const { body } = await stack.ports.store.get(key, { signal })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

async function expectDone(stack: DevStack, jobId: string, wanted: ToneRecording, fence: number) {
  const [record] = await stack.ended([jobId])
  expect(record).toMatchObject({ status: 'completed', fence })
  const stored = await transcriptOf(stack, jobId)
  expectWords(stored, wanted)
  expectContiguous(stored, wanted)
  expect(await keysOf(stack, checkpointPrefix(jobId))).toEqual([])
  expect(await keysOf(stack, manifestKey(jobId))).toHaveLength(1)
}

// Side by side, because most of their time is waiting.
describe.concurrent('a worker that is gone', () => {
  it('killed: another one goes on from the last checkpoint, with every word once', async () => {
    await using stack = await startDevStack({ queue: {} })
    const workers = [await stack.startWorkerProcess(), await stack.startWorkerProcess()]
    const wanted = await Promise.all([1, 2, 3].map(recording))
    const jobIds: string[] = []
    for (const [at, { bytes }] of wanted.entries()) {
      jobIds.push(await submitTo(stack, `killed-${at}.wav`, bytes, { pace: PACE }))
    }
    const [first = ''] = jobIds
    await untilSafe(stack, first)
    const carrier = await carrierOf(stack, first, workers)
    process.kill(carrier.pid, 'SIGKILL')
    const killedMs = performance.now()
    await stack.until(first, ({ fence, status }) => fence === 2 && status === 'running')
    const goneMs = performance.now() - killedMs
    console.log(`a killed worker's job went on after ${Math.round(goneMs / 1000)} s`)
    for (const [at, jobId] of jobIds.entries()) {
      const record = (await stack.ended([jobId]))[0]
      await expectDone(stack, jobId, wanted[at] as ToneRecording, record?.fence ?? 0)
    }
    // The others may be the other worker's, or had nothing safe yet.
    const { resumed_from_ms: from } = await metricsOf(stack, first, 2)
    expect(from).toHaveLength(1)
    expect(from[0]).toBeGreaterThan(0)
  })

  it('stopped for a minute: publishes nothing when it wakes', async () => {
    await using stack = await startDevStack({ queue: {} })
    const workers = [await stack.startWorkerProcess(), await stack.startWorkerProcess()]
    const wanted = await recording(11)
    const jobId = await submitTo(stack, 'stopped.wav', wanted.bytes, { pace: 1.5 })
    await untilSafe(stack, jobId)
    const carrier = await carrierOf(stack, jobId, workers)
    process.kill(carrier.pid, 'SIGSTOP')
    try {
      await new Promise((resolve) => setTimeout(resolve, 60_000))
      await stack.until(jobId, ({ fence }) => fence === 2)
    } finally {
      process.kill(carrier.pid, 'SIGCONT')
    }
    const before = (await keysOf(stack, jobPrefix(jobId))).filter((key) => key.includes('/1-'))
    await expectDone(stack, jobId, wanted, 2)
    const after = await keysOf(stack, jobPrefix(jobId))
    expect(after.filter((key) => key.includes('/a1/'))).toEqual([])
    expect(after.filter((key) => key.includes('/1-') && !before.includes(key))).toEqual([])
    const { resumed_from_ms: from } = await metricsOf(stack, jobId, 2)
    expect(from).toHaveLength(1)
    expect(wanted.durationMs - from[0]).toBeGreaterThan(0)
    expect(stack.standin.stats.kvBlocksHeldMax).toBeLessThanOrEqual(
      stack.standin.stats.kvBlocksUsable,
    )
  }, 600_000)

  it('told to end: hands its jobs back at once, and nothing is done again', async () => {
    await using stack = await startDevStack()
    const first = await stack.startWorkerProcess()
    const wanted = await recording(21)
    const jobId = await submitTo(stack, 'drained.wav', wanted.bytes, { pace: PACE })
    await untilSafe(stack, jobId)
    const done = await stack.until(jobId, (record) => record.audioMsDone > 60_000)
    first.drain()
    await first.exited
    const back = await stack.ports.jobStore.get(jobId, { signal })
    expect(back?.status).toBe('queued')
    await stack.startWorkerProcess()
    await expectDone(stack, jobId, wanted, 2)
    const { resumed_from_ms: from } = await metricsOf(stack, jobId, 2)
    // A pause every three seconds: what comes after the last one is all that is sent again.
    expect(done.audioMsDone - from[0]).toBeLessThan(10_000)
  })

  it('told twice: leaves at once; told once, within its time; and both leave all in order', async () => {
    // Each on a queue of its own: on one, either may take both jobs, and then the other has nothing
    // to hand back.
    await using patience = await startDevStack({ queue: {} })
    await using haste = await startDevStack({ queue: {} })
    const stacks = [patience, haste]
    const patient = await patience.startWorkerProcess()
    const hasty = await haste.startWorkerProcess()
    const wanted = await recording(31)
    const jobIds = await Promise.all(
      stacks.map(async (stack) => {
        const jobId = await submitTo(stack, 'left.wav', wanted.bytes, { pace: PACE })
        await untilSafe(stack, jobId)
        return jobId
      }),
    )
    await Promise.all(stacks.map((stack) => stack.redis.freeze())) // nothing can be handed back
    const left: string[] = []
    const leaves = async (name: string, { exited }: RunningChild) => {
      const { code } = await exited
      left.push(name)
      return code
    }
    const gone = Promise.all([leaves('patient', patient), leaves('hasty', hasty)])
    patient.drain()
    hasty.abort()
    expect(await gone).toEqual([130, 130])
    expect(left).toEqual(['hasty', 'patient'])
    for (const stack of stacks) {
      await stack.redis.thaw()
      await stack.startWorkerProcess()
    }
    for (const [at, stack] of stacks.entries()) {
      await expectDone(stack, jobIds[at] as string, wanted, 2)
    }
  })

  it('restarted one by one, all of them: a batch loses nothing, and hardly anything is sent again', async () => {
    await using stack = await startDevStack()
    const workers = [await stack.startWorkerProcess(), await stack.startWorkerProcess()]
    const wanted = await Promise.all([41, 42, 43, 44, 45, 46].map(recording))
    const jobIds: string[] = []
    for (const [at, { bytes }] of wanted.entries()) {
      jobIds.push(await submitTo(stack, `rolling-${at}.wav`, bytes, { pace: PACE }))
    }
    await Promise.all(jobIds.map((jobId) => untilSafe(stack, jobId)))
    for (const worker of workers) {
      await stack.startWorkerProcess()
      worker.drain()
      expect(await worker.exited).toEqual({ code: 0, signal: null })
    }
    const records = await stack.ended(jobIds)
    for (const [at, jobId] of jobIds.entries()) {
      await expectDone(stack, jobId, wanted[at] as ToneRecording, records[at]?.fence ?? 0)
    }
    const handovers = records.reduce((sum, { fence }) => sum + (fence ?? 1) - 1, 0)
    expect(handovers).toBeGreaterThan(0)
    const audioMs = wanted.reduce((sum, { durationMs }) => sum + durationMs, 0)
    const againMs = stack.standin.stats.generationTokens * 80 - audioMs
    expect(againMs / handovers).toBeLessThan(CHECKPOINT_MS)
  })
})
