import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '../../gpu/standin/faults/fault-kinds.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'
import {
  expectContiguous,
  expectWords,
  type StoredTranscript,
  submitTo,
  transcriptOf,
} from '../job-results.js'

interface AuditedTranscript extends StoredTranscript {
  coverage: {
    speech_s: number
    transcribed_s: number
    holes: { start: number; end: number; action: string; reason: string | null }[]
  }
}

let folder: string
let recording: ToneRecording

/** Five minutes of phrases. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-audit-'))
  recording = await toneRecording({ folder, seed: 0, count: 600, pauseBeforeMs: phrases(10) })
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** The first connection is the warm-up, the second one the job's; what comes then is an audit. */
const JOB = 1
const LATER = Array.from({ length: 50 }, (_, index) => JOB + 1 + index)
/** Blanks over 90 s of audio, from a time of a session on. */
const rut = (fromMs: number, session: number): Fault => {
  const fromDelta = fromMs / 80
  return { kind: 'blank_run', fromDelta, toDelta: fromDelta + 90_000 / 80, sessions: [session] }
}

/** Faults go by number: no session shall end because this machine has stood still. */
const engine = { sessionsMax: 8, stallTimeoutMs: 60_000 }
/** Without the watchdog a session carries its rut to the end. */
const UNWATCHED = { engine: { ...engine, blankSpeechMaxMs: 600_000 } }

async function transcribed(stack: DevStack): Promise<AuditedTranscript> {
  await stack.startWorker()
  const jobId = await submitTo(stack, 'a.wav', recording.bytes)
  expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 1 }])
  return (await transcriptOf(stack, jobId)) as AuditedTranscript
}

describe('a rut of blanks of 90 s in a recording of five minutes', () => {
  it('is carried once more: the text is complete, the hole reported as repaired', async () => {
    await using stack = await startDevStack(UNWATCHED, { faults: [rut(80_000, JOB)] })
    const stored = await transcribed(stack)
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(stored.coverage.holes).toMatchObject([{ action: 'rerun', reason: null }])
    const [hole] = stored.coverage.holes
    expect(Math.abs((hole?.start ?? 0) - 80)).toBeLessThan(2)
    expect((hole?.end ?? 0) - (hole?.start ?? 0)).toBeGreaterThan(87)
    expect(stored.coverage.transcribed_s).toBe(stored.coverage.speech_s)
    expect(stored.warnings).toStrictEqual([])
    expect(stored.timing).toMatchObject({ verified: true })
    // Before the hole, the rerun, and after it.
    expect(stored.legs).toHaveLength(3)
    expect(await stack.ledger()).toMatchObject({ chains: [] })
  })

  it('is repaired where the watchdog has not ended it, by sessions that may break', async () => {
    const faults: Fault[] = [
      rut(80_000, JOB),
      // The session that takes over from the one in a rut gets into one itself.
      rut(4_000, JOB + 1),
      { kind: 'drop', afterDeltas: 200, sessions: [JOB + 2] },
    ]
    await using stack = await startDevStack({ engine }, { faults })
    const stored = await transcribed(stack)
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(stored.coverage.holes).toMatchObject([{ action: 'rerun', reason: null }])
    expect(stack.standin.stats.finished).toBe(3) // the warm-up, the job, the audit
  })

  it('is named with its reason where it comes again', async () => {
    const again: Fault = { kind: 'blank_run', fromDelta: 0, toDelta: 1_000_000, sessions: LATER }
    await using stack = await startDevStack(UNWATCHED, { faults: [rut(80_000, JOB), again] })
    const stored = await transcribed(stack)
    expect(stored.coverage.holes).toMatchObject([{ action: 'unresolved', reason: 'blank' }])
    expect(stored.warnings).toStrictEqual(['coverage_holes'])
    expect(stored.legs).toHaveLength(1)
    const said = (recording.words[0] ?? []).filter(({ endMs }) => endMs < 79_900 || endMs > 170_200)
    expect(stored.words.map(({ word }) => word)).toStrictEqual(said.map(({ text }) => text))
  })

  it('is named with its reason where no session comes to its end', async () => {
    const breaks: Fault = { kind: 'processing_error', afterDeltas: 60, sessions: LATER }
    await using stack = await startDevStack(UNWATCHED, { faults: [rut(80_000, JOB), breaks] })
    const stored = await transcribed(stack)
    expect(stored.coverage.holes).toMatchObject([
      { action: 'unresolved', reason: 'engine_crashed' },
    ])
    expect(stored.words.length).toBeGreaterThan(400)
    expect(await stack.ledger()).toMatchObject({ chains: [] })
  })

  it('is only named where nothing may be carried once more', async () => {
    const settings = { ...UNWATCHED, coverage: { rerunShareMax: 0 } }
    await using stack = await startDevStack(settings, { faults: [rut(80_000, JOB)] })
    const stored = await transcribed(stack)
    expect(stored.coverage.holes).toMatchObject([{ action: 'unresolved', reason: 'audit_limit' }])
    expect(stack.standin.stats.finished).toBe(2) // with the warm-up
  })
})
