import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDevStack } from '../dev-stack.js'
import { phrases, toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, submitTo, transcriptOf } from '../job-results.js'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-late-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('a leg whose session falls behind', () => {
  it('holds back the one after it, and no word is lost between them', async () => {
    // The first connection is the engine's warm-up, the second one carries the first leg: at a
    // pace of 4 it should get 50 deltas a second, and gets 10.
    const faults = [{ kind: 'slow_deltas', everyMs: 100, sessions: [1] }] as const
    const settings = {
      legs: { floorMs: 3_000, ceilingMs: 4_500, openAheadMs: 100 },
      engine: { lagMaxMs: 1_000 },
      admission: { kneeLagMs: 3_600_000 },
    }
    await using stack = await startDevStack(settings, { faults })
    await stack.startWorker()
    const recording = await toneRecording({
      ...{ folder, seed: 1, count: 30, pauseBeforeMs: phrases(5) },
    })
    const jobId = await submitTo(stack, 'a.wav', recording.bytes, { pace: 4 })
    expect(await stack.ended([jobId])).toMatchObject([
      { status: 'completed', attempt: 1, error: null },
    ])
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(stored.legs.length).toBeGreaterThan(3)
  })
})
