import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownSpoolName } from '../../src/media/spool/spool-folders.js'
import { cancelJob } from '../../src/pipeline/lifecycle/end-job.js'
import { type DevStack, startDevStack } from '../dev-stack.js'
import { phrases, toneRecording } from '../fakes/tone-recording.js'
import { expectWords, submitHeld, submitTo, transcriptOf } from '../job-results.js'

const signal = new AbortController().signal
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-waiting-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** Phrases of two seconds with a second between them. */
const speech = (seed: number, count: number) =>
  toneRecording({ folder, seed, count, pauseBeforeMs: phrases(5) })

/** 18 blocks are given out: one lane in legs of four seconds takes 10 on average, two take 20. */
const ROOM_FOR_ONE = {
  settings: {
    legs: { floorMs: 4_000, ceilingMs: 20_000, openAheadMs: 100 },
    engine: {},
    admission: { kneeLagMs: 3_600_000 },
  },
  standin: { blocks: 20 },
}

/** Files of decoded audio that workers of this process hold. */
async function spoolFiles(stack: DevStack): Promise<number> {
  const spool = join(stack.settings.stateDir, 'spool', ownSpoolName())
  return (await readdir(spool, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  ).length
}

// Side by side, because most of their time is waiting; each has seeds, and so files, of its own.
describe.concurrent('a job for which there is no room', () => {
  it('waits in the line, holds nothing, and goes when it is its turn', async () => {
    await using stack = await startDevStack(ROOM_FOR_ONE.settings, ROOM_FOR_ONE.standin)
    await stack.startWorker()
    // Canceled in the end: it outlasts whatever the others take to be turned away.
    const first = await speech(0, 600)
    const short = await speech(1, 10)
    const long = await speech(2, 20)
    const urgent = await speech(3, 5)
    const runs = await submitTo(stack, 'first.wav', first.bytes, { pace: 2 })
    await stack.until(runs, ({ status }) => status === 'running')
    const filesOfOne = await spoolFiles(stack)
    const ids = {
      short: await submitTo(stack, 'short.wav', short.bytes, { pace: 2 }),
      long: await submitTo(stack, 'long.wav', long.bytes, { pace: 2 }),
      urgent: await submitTo(stack, 'urgent.wav', urgent.bytes, { pace: 2, priority: 5 }),
    }
    for (const jobId of Object.values(ids)) {
      const record = await stack.until(jobId, ({ waiting }) => waiting !== null)
      expect(record).toMatchObject({ status: 'queued', attempt: 0 })
      expect(record.waiting?.reason).toMatch(/KV cache|before it|have begun/)
    }
    // Whoever came last knows all that are before it.
    const { waiting } = await stack.until(ids.urgent, (record) => record.waiting !== null)
    expect(waiting?.place).toBe(1)
    const inMs = (waiting?.expectedStartAtMs ?? 0) - Date.now()
    expect(inMs).toBeGreaterThan(0)
    expect(inMs).toBeLessThan(first.durationMs)
    const line = await stack.ports.waiting.list({ signal })
    expect(line.map(({ jobId }) => jobId).sort()).toEqual(Object.values(ids).sort())
    expect((await stack.ledger()).chains.map(({ id }) => id.split('/')[0])).toEqual([runs])
    expect(await spoolFiles(stack)).toBeLessThanOrEqual(filesOfOne + 1) // one stretch ahead
    await cancelJob(stack.ports, runs, { signal })
    const records = await stack.ended(Object.values(ids))
    expect(records.map(({ status }) => status)).toEqual(records.map(() => 'completed'))
    const begun = records.map(({ reachedAtMs }) => reachedAtMs.admitted ?? 0)
    const [shortAt = 0, longAt = 0, urgentAt = 0] = begun
    expect(urgentAt).toBeLessThan(longAt)
    expect(longAt).toBeLessThan(shortAt)
    expectWords(await transcriptOf(stack, ids.short), short)
    expectWords(await transcriptOf(stack, ids.long), long)
    expectWords(await transcriptOf(stack, ids.urgent), urgent)
    expect(stack.standin.stats.deadlocks).toBe(0)
    expect(await stack.ports.waiting.list({ signal })).toEqual([])
  })

  it('leaves the line when it is canceled', async () => {
    await using stack = await startDevStack(ROOM_FOR_ONE.settings, ROOM_FOR_ONE.standin)
    await stack.startWorker()
    while (stack.standin.stats.finished === 0) await new Promise((wake) => setTimeout(wake, 20))
    const both = [await speech(10, 20), await speech(11, 20)]
    const { jobIds, letGo } = await submitHeld(stack, both, { pace: 2 })
    await letGo()
    // Both at once, and either may be the one there is room for.
    const turnedAway = jobIds.map(async (jobId) => {
      const { waiting } = await stack.until(jobId, (record) => record.waiting !== null)
      expect(waiting?.reason).toMatch(/KV cache|before it|have begun/)
      return jobId
    })
    const waits = await Promise.any(turnedAway)
    const runs = jobIds.find((jobId) => jobId !== waits) ?? ''
    await cancelJob(stack.ports, waits, { signal })
    expect(await stack.ended([waits])).toMatchObject([{ status: 'canceled', waiting: null }])
    expect(await stack.ports.waiting.list({ signal })).toEqual([])
    expect(await stack.ended([runs])).toMatchObject([{ status: 'completed' }])
    expect(stack.standin.stats.finished).toBe(stack.standin.stats.connections)
  })
})
