import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDevStack } from '../dev-stack.js'
import { phrases, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, submitTo, transcriptOf } from '../job-results.js'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-rotation-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const MINUTES = 180
/** A word every 1.5 s on average: what the tones cost is what this test takes. */
const WORDS = MINUTES * 40

describe('a recording of three hours', () => {
  it('becomes one seamless transcript, in as many legs as it takes', async () => {
    const legs = { ceilingMs: 60_000, openAheadMs: 100 }
    await using stack = await startDevStack({
      legs,
      engine: { sessionsMax: 8, stallTimeoutMs: 60_000 },
    })
    await stack.startWorker()
    const recording = await toneRecording({
      ...{ folder, seed: 0, count: WORDS, everyMs: 1_400, pauseBeforeMs: phrases(10) },
      encode: { ending: 'flac', args: ['-compression_level', '0'] },
    })
    expect(recording.durationMs).toBeGreaterThan(MINUTES * 60_000 * 0.999)
    const jobId = await submitTo(stack, 'long.flac', recording.bytes)
    expect(await stack.ended([jobId])).toMatchObject([{ status: 'completed', attempt: 1 }])
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(stored.timing).toMatchObject({ method: 'token-step', verified: true })
    expect(stored.legs.length).toBeGreaterThan(MINUTES)
    expect(stack.standin.stats.finished).toBe(stored.legs.length + 1) // and the warm-up
  }, 600_000)
})
