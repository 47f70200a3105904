import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { analysisDocument } from '../../src/storage/documents/analysis-document.js'
import { readJson } from '../../src/storage/documents/stored-json.js'
import { analysisKey } from '../../src/storage/keys.js'
import { startDevStack } from '../dev-stack.js'
import { toneRecording } from '../fakes/tone-recording.js'
import { expectContiguous, expectWords, submitTo, transcriptOf } from '../job-results.js'

const signal = new AbortController().signal
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-silence-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('a recording with long silences', () => {
  /** Ten seconds before the first word, twenty in the middle. */
  const pauseBeforeMs = (index: number) => ({ 0: 10_000, 12: 20_000 })[index] ?? 0
  const recordingOf = () => toneRecording({ folder, seed: 1, count: 24, pauseBeforeMs })

  it('is replayed without them where they are skipped, and its times stay true', async () => {
    await using stack = await startDevStack({ legs: { skipSilenceMs: 5_000, openAheadMs: 100 } })
    await stack.startWorker()
    const recording = await recordingOf()
    const jobId = await submitTo(stack, 'a.wav', recording.bytes)
    await stack.ended([jobId])
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, recording)
    expect(stored.timing).toMatchObject({ verified: true })
    const [before, after] = stored.legs
    expect(stored.legs).toHaveLength(2)
    // A second of each silence is heard at both its ends.
    expect(before?.start).toBeGreaterThan(8)
    expect((after?.start ?? 0) - (before?.end ?? 0)).toBeGreaterThan(17)
    const heardMs = stored.legs.reduce((sum, { deltas }) => sum + (deltas - 10) * 80, 0)
    expect(heardMs).toBeLessThan(recording.durationMs - 26_000)
  })

  it('is replayed with them where nothing is said, in one piece', async () => {
    await using stack = await startDevStack()
    await stack.startWorker()
    const recording = await recordingOf()
    const jobId = await submitTo(stack, 'a.wav', recording.bytes)
    await stack.ended([jobId])
    const stored = await transcriptOf(stack, jobId)
    expectWords(stored, recording)
    expectContiguous(stored, recording)
    expect(stored.legs).toHaveLength(1)
  })
})

describe('the sensitivity of the voice detector', () => {
  /** A word with silence around it is some 0.3 s of sound: noise to `low`, speech to the others. */
  it.each([
    ['low', null, false],
    ['medium', null, true],
    ['high', null, true],
    ['low', 150, true],
  ])('%s, with a shortest speech of %s ms: a short word is speech: %s', async (...given) => {
    const [sensitivity, speechMinMs, isHeard] = given
    const vad = { method: 'energy', sensitivity, speechMinMs }
    await using stack = await startDevStack({ vad })
    await stack.startWorker()
    const recording = await toneRecording({ folder, seed: 2, count: 6, everyMs: 900 })
    const jobId = await submitTo(stack, 'a.wav', recording.bytes)
    await stack.ended([jobId])
    const { store } = stack.ports
    const analysis = await readJson(store, analysisKey(jobId), analysisDocument, { signal })
    expect(analysis?.lanes[0]?.speech.segments_ms).toHaveLength(isHeard ? 6 : 0)
  })
})
