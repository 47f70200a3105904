import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CloseMoment, Fault } from '../../gpu/standin/faults/fault-kinds.js'
import { WIRE_ERROR_CODES } from '../../gpu/standin/wire/server-event.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, outputOf, submitTo, transcriptOf } from '../job-results.js'

/**
 * One session after the other of a lane meets a fault, on one worker and one engine that is well
 * otherwise. Nothing here depends on pace, so most audio is sent as fast as the engine answers.
 */
const SETTINGS = {
  // Three legs, so that what breaks has legs before it and after it.
  legs: { floorMs: 6_000, ceilingMs: 12_000, openAheadMs: 100 },
  admission: { kneeLagMs: 3_600_000 },
}
const SHORT_WATCHDOGS = {
  createdTimeoutMs: 2_000,
  stallTimeoutMs: 3_000,
  doneTimeoutMs: 2_000,
  blankSpeechMaxMs: 2_500,
}
let folder: string
let seeds = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-recovery-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** A worker whose engine is warm: the next session is the first one of a job. */
async function startWarm(watchdogs: Record<string, number> = SHORT_WATCHDOGS): Promise<DevStack> {
  const stack = await startDevStack({ ...SETTINGS, engine: { sessionsMax: 8, ...watchdogs } })
  await stack.startWorker()
  await until(() => stack.standin.stats.finished === 1)
  return stack
}

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
async function carry(
  stack: DevStack,
  faults: readonly Fault[],
  recording: ToneRecording,
  changes = {},
) {
  const { standin } = stack
  const { connections } = standin.stats
  standin.setFaults(
    faults.map((fault) => {
      const { sessions } = fault
      return sessions ? { ...fault, sessions: sessions.map((at) => at + connections) } : fault
    }),
  )
  const jobId = await submitTo(stack, `${connections}.wav`, recording.bytes, changes)
  const [record] = await stack.ended([jobId])
  standin.setFaults([])
  expect(record).toMatchObject({ status: 'completed', attempt: 1, error: null })
  const stored = await transcriptOf(stack, jobId)
  const metrics: { reconnects: number; stalls: number } = JSON.parse(
    await outputOf(stack, jobId, 'metrics.json'),
  )
  return { stored, warnings: record?.warnings, ...metrics }
}

/** One session after the other, from this one on. */
function inTurn(faults: readonly Fault[], firstSession = 0): Fault[] {
  return faults.map((fault, index) => ({ ...fault, sessions: [firstSession + index] }))
}

async function expectRecovered(faults: readonly Fault[], reconnectsMin: number) {
  await using stack = await startWarm()
  const recording = await speech()
  const { stored, reconnects } = await carry(stack, faults, recording)
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
  { kind: 'blank_run', fromDelta: 20 },
  { kind: 'no_done' },
]

const CLOSE_CODES = [1006, 1009, 1011, 1012]

/** At every moment there is. */
function closes(code: number): Fault[] {
  // When one ends with its leg, another may be open already, which is closed by ourselves.
  const sessions = { greeting: 0, update: 1, delta: 2, final: 3, done: 5 }
  return Object.entries(sessions).map(([at, session]): Fault => {
    return { kind: 'close', code, at: at as CloseMoment, afterDeltas: 20, sessions: [session] }
  })
}

/** Each there is, but for a model that isn't served: the next session wouldn't be better off. */
function errors(): Fault[] {
  const codes = WIRE_ERROR_CODES.filter((code) => code !== 'model_not_found')
  const faults = codes.map((code): Fault => ({ kind: 'error_frame', code, afterDeltas: 20 }))
  return [...inTurn(faults.slice(0, 4)), ...inTurn(faults.slice(4), 5)]
}

/** What happens, by which faults, and how often a leg is carried again for it at least. */
const CASES: readonly (readonly [string, readonly Fault[], number])[] = [
  ['are not greeted, meet an error, vanish or end too early', inTurn(EARLY), EARLY.length],
  ['are idle, lose audio, get no text for speech or never end', inTurn(LATER), LATER.length],
  ['end without the padding of their audio', [{ kind: 'no_right_padding' }], 1],
  ...CLOSE_CODES.map((code) => {
    return [`are closed with ${code} at any moment`, closes(code), closes(code).length] as const
  }),
  ['are told of any error there is', errors(), errors().length],
  ['are refused again and again', [{ kind: 'refuse', status: 503, count: 3 }], 3],
]

// Side by side, because most of their time is waiting.
describe.concurrent('every word comes once when sessions', () => {
  it.each(CASES)('%s', async (_, faults, reconnectsMin) => {
    await expectRecovered(faults, reconnectsMin)
  })

  it('are slow: the sender waits for them, and nobody breaks', async () => {
    await using stack = await startWarm({})
    const recording = await speech()
    // Three times as slow as the pace.
    const slow: Fault = { kind: 'slow_deltas', everyMs: 30, sessions: [0] }
    const { stored, reconnects, stalls } = await carry(stack, [slow], recording, { pace: 8 })
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(stored.timing).toMatchObject({ verified: true })
    expect(reconnects).toBe(0)
    expect(stalls).toBeGreaterThan(0)
  })

  it('count otherwise than their audio: then times are called estimated', async () => {
    await using stack = await startWarm({})
    const recording = await speech()
    const extra: Fault = { kind: 'extra_deltas', afterDeltas: 20, more: 1, sessions: [0] }
    const { stored, warnings, reconnects } = await carry(stack, [extra], recording)
    const said = recording.words[0]?.map(({ text }) => text)
    expect(stored.words.map(({ word }) => word)).toEqual(said)
    expectContiguous(stored, recording)
    const [first, ...rest] = stored.legs.map(({ timing }) => timing)
    expect(first).toBe('estimated')
    expect(new Set(rest)).toEqual(new Set(['token-step']))
    expect(stored.timing).toMatchObject({ method: 'estimated', verified: false })
    expect(warnings).toEqual(['timing_estimated'])
    expect(reconnects).toBe(0)
  })

  it('fall silent while others are heard', async () => {
    await using stack = await startWarm()
    const recording = await speech(2)
    const faults: Fault[] = [{ kind: 'stall', afterDeltas: 40, count: 1 }]
    const changes = { channels: 'split', pace: 4 }
    const { stored, reconnects } = await carry(stack, faults, recording, changes)
    expectWords(stored, recording, 0)
    expectWords(stored, recording, 1)
    expect(reconnects).toBeGreaterThan(0)
  })

  it('take no more than so much audio, and legs become as short', async () => {
    await using stack = await startWarm({})
    // Ten seconds: less than a leg. What was answered by then is known to be taken.
    const faults: Fault[] = [{ kind: 'invalid_audio', afterBytes: 10 * 32_000 }]
    const recording = await speech()
    const { stored, reconnects } = await carry(stack, faults, recording, { pace: 8 })
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(reconnects).toBeGreaterThan(0)
    const longestS = Math.max(...stored.legs.map(({ start, end }) => end - start))
    expect(longestS).toBeLessThanOrEqual(10)
    const next = await carry(stack, faults, await speech(), { pace: 8 })
    expect(next.reconnects).toBe(0)
  })

  it('get into the same rut again: what is left comes once, and the hole is told', async () => {
    await using stack = await startWarm()
    const recording = await speech()
    const rut: Fault = { kind: 'blank_run', fromDelta: 20, toDelta: 100 }
    const { stored, warnings, reconnects } = await carry(stack, [rut], recording)
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
