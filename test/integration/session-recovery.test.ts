import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CloseMoment, Fault } from '../../gpu/standin/faults.js'
import { WIRE_ERROR_CODES } from '../../gpu/standin/server-event.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, outputOf, submitTo, transcriptOf } from '../job-results.js'

/**
 * One session after the other of a lane meets a fault, on one worker and one engine that is well
 * otherwise. Nothing here depends on pace, so the audio is sent as fast as the engine answers.
 */
const SHORT_WATCHDOGS = {
  createdTimeoutMs: 500,
  stallTimeoutMs: 1_500,
  doneTimeoutMs: 500,
  blankSpeechMaxMs: 2_500,
}
let folder: string
let stack: DevStack
let seeds = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-recovery-'))
  stack = await startDevStack({
    // Three legs, so that what breaks has legs before it and after it.
    legs: { floorMs: 6_000, ceilingMs: 12_000, openAheadMs: 100 },
    engine: { sessionsMax: 8, ...SHORT_WATCHDOGS },
    admission: { kneeLagMs: 3_600_000 },
  })
  await stack.startWorker()
  await until(() => stack.standin.stats.finished === 1) // it is warm
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Half a minute of phrases of two seconds, of words that no other recording here has. */
async function speech(channels = 1): Promise<ToneRecording> {
  seeds += 1
  // A script for each channel: the numbers of one with two are those of two with one.
  const seed = 100 * channels + seeds
  return await toneRecording({ folder, seed, count: 50, channels, pauseBeforeMs: phrases(5) })
}

/** Carries a recording; `sessions` of the faults count from its first one. */
async function carry(faults: readonly Fault[], recording: ToneRecording, changes = {}) {
  const { standin } = stack
  const { connections } = standin.stats
  standin.setFaults(
    faults.map((fault) => {
      const { sessions } = fault
      return sessions ? { ...fault, sessions: sessions.map((at) => at + connections) } : fault
    }),
  )
  const jobId = await submitTo(stack, `${seeds}.wav`, recording.bytes, changes)
  const [card] = await stack.ended([jobId])
  standin.setFaults([])
  expect(card).toMatchObject({ status: 'completed', attempts: 1, error: null })
  const stored = await transcriptOf(stack, jobId)
  const { reconnects } = JSON.parse(await outputOf(stack, jobId, 'metrics.json'))
  return { stored, warnings: card?.warnings, reconnects: reconnects as number }
}

/** One session after the other, from this one on. */
function inTurn(faults: readonly Fault[], firstSession = 0): Fault[] {
  return faults.map((fault, index) => ({ ...fault, sessions: [firstSession + index] }))
}

async function expectRecovered(faults: readonly Fault[], { reconnectsMin = 1 } = {}) {
  const recording = await speech()
  const { stored, reconnects } = await carry(faults, recording)
  expectWords(stored, recording)
  expectContiguous(stored, recording)
  expect(stored.timing).toMatchObject({ verified: true })
  expect(reconnects).toBeGreaterThanOrEqual(reconnectsMin)
}

/** What meets one session after the other; each breaks before the next one is opened. */
const EARLY: readonly Fault[] = [
  { kind: 'no_greeting' },
  { kind: 'processing_error', afterDeltas: 20 },
  { kind: 'drop', afterDeltas: 20 },
  { kind: 'early_done', afterDeltas: 20 },
]
/** The last one breaks at the end of its leg. */
const LATER: readonly Fault[] = [
  { kind: 'idle_timeout', afterMs: 0 },
  { kind: 'buffer_full', afterAppends: 20, times: 3 },
  { kind: 'blank_rut', fromDelta: 20 },
  { kind: 'no_done' },
]

describe('every word comes once when sessions', () => {
  it.each([
    ['are not greeted, meet an error, vanish or end too early', EARLY],
    ['are idle, lose audio, get no text for speech or never end', LATER],
  ])('%s', async (_, faults) => {
    await expectRecovered(inTurn(faults), { reconnectsMin: faults.length })
  })

  it('end without the padding of their audio', async () => {
    await expectRecovered([{ kind: 'no_right_padding' }])
  })

  it.each([1006, 1009, 1011, 1012])('are closed with %s at any moment', async (code) => {
    // When one ends with its leg, another may be open already, which is closed by ourselves.
    const sessions = { greeting: 0, update: 1, delta: 2, final: 3, done: 5 }
    const faults = Object.entries(sessions).map(([at, session]): Fault => {
      return { kind: 'close', code, at: at as CloseMoment, afterDeltas: 20, sessions: [session] }
    })
    await expectRecovered(faults, { reconnectsMin: faults.length })
  })

  it('are told of any error there is', async () => {
    // A model that isn't served is another matter: the next session wouldn't be better off.
    const codes = WIRE_ERROR_CODES.filter((code) => code !== 'model_not_found')
    const faults = codes.map((code): Fault => ({ kind: 'error_frame', code, afterDeltas: 20 }))
    const [first, second] = [inTurn(faults.slice(0, 4)), inTurn(faults.slice(4), 5)]
    await expectRecovered([...first, ...second], { reconnectsMin: faults.length })
  })

  it('are slow', async () => {
    await expectRecovered([{ kind: 'slow_deltas', everyMs: 30, count: 1 }], { reconnectsMin: 0 })
  })

  it('fall silent while others are heard', async () => {
    const recording = await speech(2)
    const faults: Fault[] = [{ kind: 'stall', afterDeltas: 40, count: 1 }]
    const { stored, reconnects } = await carry(faults, recording, { channels: 'split', pace: 4 })
    expectWords(stored, recording, 0)
    expectWords(stored, recording, 1)
    expect(reconnects).toBeGreaterThan(0)
  })
})

describe('a rut that comes again', () => {
  it('is taken as it comes: what is left comes once, and the hole is told', async () => {
    const recording = await speech()
    const rut: Fault = { kind: 'blank_rut', fromDelta: 20, toDelta: 100 }
    const { stored, warnings, reconnects } = await carry([rut], recording)
    const said = recording.words[0]?.map(({ text }) => text) ?? []
    const heard = stored.words.map(({ word }) => word)
    expect(said.filter((word) => heard.includes(word))).toEqual(heard)
    expect(heard.length).toBeLessThan(said.length)
    expect(heard.length).toBeGreaterThan(said.length / 3)
    expect(reconnects).toBeGreaterThan(0)
    expect(warnings).toContain('coverage_holes')
    expectContiguous(stored, recording)
  })
})

// Now legs are short for good, and a refused session has a number that no engine counts.
describe('every word comes once in the end when sessions', () => {
  it('take no more than so much audio, and legs become as short', async () => {
    // Ten seconds: less than a leg. What was answered by then is known to be taken.
    const faults: Fault[] = [{ kind: 'invalid_audio', afterBytes: 10 * 32_000 }]
    const recording = await speech()
    const { stored, reconnects } = await carry(faults, recording, { pace: 8 })
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(reconnects).toBeGreaterThan(0)
    const longestS = Math.max(...stored.legs.map(({ start, end }) => end - start))
    expect(longestS).toBeLessThanOrEqual(10)
    const next = await carry(faults, await speech(), { pace: 8 })
    expect(next.reconnects).toBe(0)
  })

  it('are refused again and again', async () => {
    await expectRecovered([{ kind: 'refuse', status: 503, count: 3 }], { reconnectsMin: 3 })
  })
})
