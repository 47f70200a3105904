import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTonesFactory } from '../../gpu/standin/recognizers/tones-recognizer.js'
import { type Standin, startStandin } from '../../gpu/standin/server.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { freePort } from '../fakes/free-port.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import {
  expectContiguous,
  expectWords,
  submitHeld,
  submitTo,
  transcriptOf,
} from '../job-results.js'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-pool-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Recordings that one engine takes at a time. */
const LANES_MAX = 2

const startStack = () =>
  startDevStack({
    legs: { floorMs: 3_000, ceilingMs: 6_000, openAheadMs: 100 },
    admission: { kneeLagMs: 3_600_000 },
    engine: { sessionsMax: LANES_MAX },
  })

/** Two engines: that of the stack, and a second one. */
async function startTwo(faults: Parameters<Standin['setFaults']>[0] = []) {
  const second = await startStandin({ key: 'k', recognizer: createTonesFactory(), faults })
  const stack = await startStack()
  const engines = [stack.standin.url, second.url]
  await stack.startWorker({ engines })
  return {
    stack,
    first: stack.standin,
    second,
    async [Symbol.asyncDispose]() {
      await stack[Symbol.asyncDispose]()
      await second.close()
    },
  }
}

type Two = Omit<Awaited<ReturnType<typeof startTwo>>, typeof Symbol.asyncDispose>

/** 16 s of phrases: several legs each. Tests run side by side: each has seeds of its own. */
async function recordings(count: number, firstSeed: number): Promise<ToneRecording[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const seed = firstSeed + index
      return toneRecording({ folder, seed, count: 30, pauseBeforeMs: phrases(6) })
    }),
  )
}

async function submitAll(stack: DevStack, all: readonly ToneRecording[]) {
  const jobIds: string[] = []
  for (const { bytes } of all) {
    jobIds.push(await submitTo(stack, `${jobIds.length}-${bytes.length}.wav`, bytes, { pace: 4 }))
  }
  return jobIds
}

async function expectAllWords(
  stack: DevStack,
  jobIds: readonly string[],
  all: readonly ToneRecording[],
) {
  const records = await stack.ended(jobIds)
  expect(
    records.map(({ status, attempt: attempts, error }) => ({ status, attempts, error })),
  ).toEqual(jobIds.map(() => ({ status: 'completed', attempts: 1, error: null })))
  for (const [index, jobId] of jobIds.entries()) {
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, all[index] as ToneRecording)
    expectContiguous(stored, all[index] as ToneRecording)
  }
}

/**
 * One recording more than one engine takes, all at the same moment: it can only go to the other, so
 * nothing depends on which of two that are free is preferred, or on how fast this machine is.
 */
async function expectBothUsed({ stack, first, second }: Two, firstSeed: number) {
  const finished = () => [first.stats.finished, second.stats.finished] as const
  const more = await recordings(LANES_MAX + 1, firstSeed)
  const { jobIds, letGo } = await submitHeld(stack, more, { pace: 4 })
  const before = finished()
  await letGo()
  await expectAllWords(stack, jobIds, more)
  const after = finished()
  for (const [engine, count] of after.entries()) expect(count).toBeGreaterThan(before[engine] ?? 0)
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}

// Side by side, because most of their time is waiting.
describe.concurrent('an engine of two', () => {
  it('dies: its legs move to the other; comes back warm, and is used again', async () => {
    await using pool = await startTwo()
    const { stack, second } = pool
    const all = await recordings(LANES_MAX + 1, 0) // one more than the first can take
    const { jobIds, letGo } = await submitHeld(stack, all, { pace: 4 })
    await until(() => second.stats.finished === 1) // it is warm
    await letGo()
    await until(() => second.stats.connectionsActive > 0 && second.stats.finished > 1)
    second.kill({ closeMs: 0, downMs: 2_000 })
    await until(() => second.stats.finished === 0) // another process
    await expectAllWords(stack, jobIds, all)
    await until(() => second.stats.finished > 0)
    await expectBothUsed(pool, 10)
  })

  it('is not there when the worker starts: is looked for, and used once it answers', async () => {
    const port = await freePort()
    await using stack = await startStack()
    const url = `ws://127.0.0.1:${port}/v1/realtime`
    await stack.startWorker({ engines: [stack.standin.url, url] })
    const second = await startStandin({ port, key: 'k', recognizer: createTonesFactory() })
    try {
      await until(() => second.stats.finished === 1) // it is warm
      await expectBothUsed({ stack, first: stack.standin, second }, 80)
    } finally {
      await second.close()
    }
  })

  it('answers 503: everything goes to the other, until it is well', async () => {
    await using pool = await startTwo([{ kind: 'refuse', status: 503 }])
    const { stack, first, second } = pool
    const all = await recordings(2, 20)
    await expectAllWords(stack, await submitAll(stack, all), all)
    expect(first.stats.connections).toBeGreaterThan(2)
    expect(second.stats.finished).toBe(0)
    second.setFaults([])
    await until(() => second.stats.finished === 1)
    await expectBothUsed(pool, 30)
  })

  it('gives no text any more though it says that it is well: its legs move to the other', async () => {
    await using pool = await startTwo()
    const { stack, second } = pool
    const all = await recordings(LANES_MAX + 1, 40)
    const { jobIds, letGo } = await submitHeld(stack, all, { pace: 4 })
    await until(() => second.stats.finished === 1)
    await letGo()
    await until(() => second.stats.connectionsActive > 0)
    second.setFaults([{ kind: 'stall', afterDeltas: 0 }])
    await expectAllWords(stack, jobIds, all)
  })
})

describe.concurrent('a worker that is killed while its sessions run', () => {
  it('has its leases reclaimed, and another worker finishes what it began', async () => {
    // Room for one lane only: what the dead one held must be free before anybody goes on.
    const settings = {
      legs: { floorMs: 4_000, ceilingMs: 20_000, openAheadMs: 100 },
      engine: {},
      admission: { kneeLagMs: 3_600_000 },
      queue: { lockDurationMs: 10_000, stalledIntervalMs: 500, backoffMs: 50 },
    }
    await using stack = await startDevStack(settings, { blocks: 20 })
    const doomed = await stack.startWorkerProcess()
    const [recording] = (await recordings(1, 60)) as [ToneRecording]
    const jobId = await submitTo(stack, 'a.wav', recording.bytes, { pace: 2 })
    await stack.until(jobId, ({ audioMsDone }) => audioMsDone > 8_000)
    process.kill(doomed.pid, 'SIGKILL')
    await doomed.exited
    const [left] = (await stack.ledger()).chains
    expect(left?.id).toContain(jobId)
    await stack.startWorker()
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 2 }])
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect((await stack.ledger()).chains).toEqual([])
    expect(stack.standin.stats.deadlocks).toBe(0)
  })
})
