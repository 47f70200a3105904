import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunningChild } from '../../src/cli/stack/child-process.js'
import { carrierOf, type DevStack, startDevStack } from '../dev-stack.js'
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
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-admission-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Other tests keep the machine busy meanwhile: lag shall not say how many lanes run. */
const kneeLagMs = 3_600_000

/** Half a minute of phrases of three seconds. Each test has seeds, and so files, of its own. */
async function recordings(count: number, firstSeed: number): Promise<ToneRecording[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, index) =>
      toneRecording({ folder, seed: firstSeed + index, count: 56, pauseBeforeMs: phrases(8) }),
    ),
  )
}

/** Submits recordings that all begin together: each alone would fit, and they are soon over. */
async function submitAll(stack: DevStack, all: readonly ToneRecording[], pace: number) {
  const { jobIds, letGo } = await submitHeld(stack, all, { pace })
  await letGo()
  return jobIds
}

async function expectAllWords(
  stack: DevStack,
  jobIds: readonly string[],
  all: readonly ToneRecording[],
) {
  const records = await stack.ended(jobIds)
  expect(records.map(({ status }) => status)).toEqual(jobIds.map(() => 'completed'))
  for (const [index, jobId] of jobIds.entries()) {
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, all[index] as ToneRecording)
    expectContiguous(stored, all[index] as ToneRecording)
  }
}

/** Waits until another worker than this one has something leased. */
async function untilLeasedBeside(stack: DevStack, { pid }: RunningChild): Promise<void> {
  const isThere = async () =>
    (await stack.ledger()).chains.some(({ worker }) => !worker.startsWith(`${pid}-`))
  // Within 45 s, on any machine: the worker that stands still counts as dead after that.
  while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 100))
}

/** By the engine's own count: it never held more than it has, and nobody ever stood still. */
function expectNeverOverfull({ standin: { stats } }: DevStack, { atLeast }: { atLeast: number }) {
  expect(stats.deadlocks).toBe(0)
  expect(stats.kvBlocksHeldMax).toBeLessThanOrEqual(stats.kvBlocksUsable)
  // Else the engine was too large for this to say anything.
  expect(stats.kvBlocksHeldMax).toBeGreaterThanOrEqual(atLeast)
  expect(stats.kvBlocksHeld).toBe(0)
}

// Side by side, because most of their time is waiting.
describe.concurrent('an engine with few KV blocks', () => {
  it('is never overfilled by two worker processes, and everything gets done', async () => {
    const legs = { floorMs: 5_000, ceilingMs: 20_000, openAheadMs: 100 }
    await using stack = await startDevStack(
      { legs, engine: {}, admission: { kneeLagMs }, queue: { lockDurationMs: 60_000 } },
      { blocks: 51 },
    )
    const workers = [await stack.startWorkerProcess(), await stack.startWorkerProcess()]
    const [first, ...others] = (await recordings(6, 0)) as [ToneRecording, ...ToneRecording[]]
    const firstId = await submitTo(stack, 'first.wav', first.bytes, { pace: 2 })
    await stack.until(firstId, ({ audioMsDone }) => audioMsDone > 0)
    // Whoever carries the first one stands still until the other has leased beside it: either of
    // them could take all that come together.
    const carrier = await carrierOf(stack, firstId, workers)
    const jobIds = [firstId]
    const { jobIds: otherIds, letGo } = await submitHeld(stack, others, { pace: 4 })
    process.kill(carrier.pid, 'SIGSTOP')
    try {
      await letGo()
      await untilLeasedBeside(stack, carrier)
    } finally {
      process.kill(carrier.pid, 'SIGCONT')
    }
    jobIds.push(...otherIds)
    await expectAllWords(stack, jobIds, [first, ...others])
    expectNeverOverfull(stack, { atLeast: 25 })
    expect((await stack.ledger()).chains).toEqual([])
  })

  it.each([
    ['profile', 100],
    ['reserve', 200],
  ] as const)('is never overfilled by the policy %s', async (policy, firstSeed) => {
    const admission = { policy, kneeLagMs }
    await using stack = await startDevStack({ admission, engine: {} }, { blocks: 61 })
    await stack.startWorker()
    const all = await recordings(5, firstSeed)
    const jobIds = await submitAll(stack, all, 8)
    await expectAllWords(stack, jobIds, all)
    expectNeverOverfull(stack, { atLeast: 30 })
  })

  it('deadlocks with a fixed number of sessions, and every recording still comes home', async () => {
    const settings = {
      admission: { policy: 'fixed', kneeLagMs },
      engine: { sessionsMax: 5, stallTimeoutMs: 10_000 },
    }
    await using stack = await startDevStack(settings, { blocks: 61 })
    await stack.startWorker()
    const all = await recordings(5, 60)
    const jobIds = await submitAll(stack, all, 8)
    await expectAllWords(stack, jobIds, all)
    expect(stack.standin.stats.deadlocks).toBeGreaterThan(0)
    expect((await stack.ledger()).limit.penalties.length).toBeGreaterThan(0)
  })
})
