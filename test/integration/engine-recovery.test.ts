import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../gpu/standin/faults/fault-kinds.js'
import { createTonesFactory } from '../../gpu/standin/recognizers/tones-recognizer.js'
import { type Standin, startStandin } from '../../gpu/standin/server.js'
import { deltasTotal } from '../../src/model/step-law.js'
import { DialogueClient } from '../conformance/dialogue-client.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { OPEN } from '../fakes/open-signal.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import {
  expectContiguous,
  expectWords,
  submitHeld,
  submitTo,
  transcriptOf,
} from '../job-results.js'

/** What befalls all sessions of an engine at once: every word still comes once. */
const settings = {
  legs: { floorMs: 6_000, ceilingMs: 12_000, openAheadMs: 100 },
  admission: { kneeLagMs: 3_600_000 },
  // Long enough that an engine is known to be gone before a leg has failed five times.
  queue: { backoffMs: 500, backoffMaxMs: 1_000, attemptsMax: 3 },
}
/** Of the one second that an engine is warmed up with. */
const WARM_UP_DELTAS = deltasTotal(16_000)
/** Of an engine on which one leg has begun, after its warm-up. */
const FROM_SECOND_LEG = Array.from({ length: 500 }, (_, index) => 2 + index)
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-engine-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Tests run side by side: each has seeds, and so files, of its own. */
async function recordings(count: number, firstSeed: number): Promise<ToneRecording[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const seed = firstSeed + index
      return toneRecording({ folder, seed, count: 48, pauseBeforeMs: phrases(6) })
    }),
  )
}

async function submitAll(
  stack: DevStack,
  all: readonly ToneRecording[],
  pace = 4,
): Promise<string[]> {
  const jobIds: string[] = []
  for (const { bytes } of all) {
    jobIds.push(await submitTo(stack, `${jobIds.length}.wav`, bytes, { pace }))
  }
  return jobIds
}

async function expectAllWords(
  stack: DevStack,
  jobIds: readonly string[],
  all: readonly ToneRecording[],
) {
  const records = await stack.ended(jobIds)
  const ends = records.map(({ status, error, waiting }) => ({ status, error, waiting }))
  expect(ends).toEqual(jobIds.map(() => ({ status: 'completed', error: null, waiting: null })))
  for (const [index, jobId] of jobIds.entries()) {
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, all[index] as ToneRecording)
    expectContiguous(stored, all[index] as ToneRecording)
    expect(stored.timing).toMatchObject({ verified: true })
  }
}

/** A worker, and its engine known to be well. */
async function startWarm(stack: DevStack): Promise<void> {
  await stack.startWorker()
  await until(() => stack.standin.stats.finished === 1)
}

/** Waits until a job waits. @returns why, as it was noted when the wait began */
async function whyItWaits(stack: DevStack, jobId: string): Promise<string> {
  const record = await stack.until(jobId, ({ waiting }) => waiting !== null)
  expect(record).toMatchObject({ status: 'queued', error: null })
  const notes = (await stack.ports.jobStore.history(jobId, OPEN)).map(({ entry }) => entry)
  const waits = notes.flatMap((note) => (note.kind === 'waiting' ? [note.reason] : []))
  return waits[0] ?? 'nothing'
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}

// Side by side, because most of their time is waiting.
describe.concurrent('the only engine', () => {
  it.each([
    ['is killed: an error to everybody, then 1012', { closeMs: 260 }, 0],
    ['is told to stop: 1012 to everybody', { term: 1 }, 10],
    // In the first leg of the first, with a pause behind it: a part is kept, and its times.
    [
      'is told to stop, and aborts what it has',
      { term: 1, abortDeltas: 2, afterDeltas: 100, sessions: [1] },
      25,
    ],
    ['vanishes: 1006 to everybody', { abrupt: 1 }, 20],
  ])('%s; its jobs wait for it, and go on', async (_, death, firstSeed) => {
    await using stack = await startDevStack(settings)
    await startWarm(stack)
    // In the third session of them all: the first recording isn't at its end yet.
    const dies = { kind: 'engine_death', afterDeltas: 30, sessions: [3] } as const
    // Long enough for a loaded machine to see it before it is back.
    stack.standin.setFaults([{ ...dies, ...death, downMs: 20_000 }])
    const all = await recordings(3, firstSeed)
    // Together, so that none waits for room before it waits for the engine.
    const { jobIds, letGo } = await submitHeld(stack, all, { pace: 2 })
    await letGo()
    const reason = await whyItWaits(stack, jobIds[0] as string)
    expect(reason).toContain(`No engine is up. ${stack.standin.url}: `)
    await expectAllWords(stack, jobIds, all)
  })

  it.each<[string, Fault, string, number]>([
    ['another key', { kind: 'refuse', status: 401 }, 'NIGHTSCRIBE_ENGINE_KEY', 30],
    ['another model', { kind: 'refuse_model' }, 'engine.model', 40],
    ['another address', { kind: 'refuse', status: 404 }, 'NIGHTSCRIBE_ENGINES', 50],
  ])(
    'wants %s all at once: its jobs wait with the reason, and no try is lost',
    async (...given) => {
      const [, fault, word, firstSeed] = given
      await using stack = await startDevStack(settings)
      await startWarm(stack)
      stack.standin.setFaults([{ ...fault, sessions: FROM_SECOND_LEG }])
      const all = await recordings(1, firstSeed)
      const [jobId = ''] = await submitAll(stack, all, 2)
      expect(await whyItWaits(stack, jobId)).toContain(word)
      stack.standin.setFaults([])
      await expectAllWords(stack, [jobId], all)
    },
  )

  // `poll` asks whose test it is in: side by side only a test's own `expect` knows.
  it('is filled by sessions that are not ours, and stands still until they are gone', async ({
    expect,
  }) => {
    // Two of them, of a minute of audio each, hold 38 of 39 blocks.
    await using stack = await startDevStack({ ...settings, engine: {} }, { blocks: 40 })
    await startWarm(stack)
    const all = await recordings(1, 60)
    // So slow that it is still under way when they fill the engine.
    const [jobId = ''] = await submitAll(stack, all, 1)
    await until(() => stack.standin.stats.generationTokens > WARM_UP_DELTAS)
    const strangers = [0, 1].map(() => stranger(stack.standin, 60))
    try {
      await until(() => stack.standin.stats.deadlocks > 0)
      // One of ours is closed for them, and they go on.
      const penalized = async () => (await stack.ledger()).limit.penalties.length > 0
      await expect.poll(penalized, { timeout: 60_000 }).toBe(true)
    } finally {
      for (const client of await Promise.all(strangers)) client.drop()
    }
    await expectAllWords(stack, [jobId], all)
  })

  it('gives no text for one session, which is the only one', async () => {
    const faults: Fault[] = [{ kind: 'stall', afterDeltas: 60, sessions: [1] }] // 0 warms it up
    await using stack = await startDevStack(settings, { faults })
    await stack.startWorker()
    const all = await recordings(1, 70)
    await expectAllWords(stack, await submitAll(stack, all), all)
  })
})

describe.concurrent('one engine of two', () => {
  it.each<[string, Fault, number]>([
    ['another key', { kind: 'refuse', status: 401 }, 80],
    ['another model', { kind: 'refuse_model' }, 90],
  ])('wants %s all at once: its legs move to the other, in the same try', async (...given) => {
    const [, fault, firstSeed] = given
    await using second = await secondEngine()
    // One recording more than one engine takes, so that the other has one of them.
    const sessionsMax = 4
    await using stack = await startDevStack({ ...settings, engine: { sessionsMax } })
    await stack.startWorker({ engines: [stack.standin.url, second.standin.url] })
    await until(() => second.standin.stats.finished === 1 && stack.standin.stats.finished === 1)
    second.standin.setFaults([{ ...fault, sessions: FROM_SECOND_LEG }])
    const all = await recordings(sessionsMax + 1, firstSeed)
    const { jobIds, letGo } = await submitHeld(stack, all, { pace: 4 })
    await letGo()
    await expectAllWords(stack, jobIds, all)
    for (const { attempt: attempts } of await stack.ended(jobIds)) expect(attempts).toBe(1)
    expect(second.standin.stats.connections).toBeGreaterThan(1)
    // Repaired, it is warmed up and taken again.
    const { finished } = second.standin.stats
    second.standin.setFaults([])
    await until(() => second.standin.stats.finished > finished)
  })
})

async function secondEngine() {
  const standin = await startStandin({ key: 'k', recognizer: createTonesFactory() })
  return { standin, [Symbol.asyncDispose]: () => standin.close() }
}

/** A session that no ledger knows: so many seconds of audio at once, and never a final. */
async function stranger(standin: Standin, seconds: number): Promise<DialogueClient> {
  const client = new DialogueClient(standin.url, { key: 'k', path: '/v1/realtime' })
  await client.open()
  client.perform({ send: { type: 'session.update', model: '' } })
  client.perform({ send: { type: 'input_audio_buffer.commit' } })
  const samples = seconds * 16_000
  client.perform({ send: { type: 'input_audio_buffer.append', samples } })
  return client
}
