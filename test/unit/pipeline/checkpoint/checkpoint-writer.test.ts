import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/kernel/clock.js'
import { StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import { systemRandom } from '../../../../src/kernel/random.js'
import { SimulatedClock } from '../../../../src/kernel/simulated-clock.js'
import { CheckpointWriter } from '../../../../src/pipeline/checkpoint/checkpoint-writer.js'
import { readCheckpoint } from '../../../../src/pipeline/checkpoint/read-checkpoint.js'
import type { CompletedLeg } from '../../../../src/pipeline/legs/completed-leg.js'
import { LaneProgress, type RunningLegRecord } from '../../../../src/pipeline/legs/lane-progress.js'
import { LegRecord } from '../../../../src/pipeline/legs/leg-record.js'
import { openFolderStore } from '../../../../src/storage/folder/folder-object-store.js'
import type { ObjectStore } from '../../../../src/storage/index.js'
import { checkpointKey, checkpointPrefix } from '../../../../src/storage/keys.js'

const { signal } = new AbortController()
const PAUSE_EVERY = 100
const pauseAt = (frame: number) => ({ endFrame: frame, nextFrame: frame, kind: 'pause' as const })
const cuts = Array.from({ length: 100 }, (_, at) => pauseAt((at + 1) * PAUSE_EVERY))

let folder = ''
let store: ObjectStore
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-checkpoints-'))
  store = await openFolderStore({
    root: folder,
    clock: systemClock(),
    random: systemRandom(),
  })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A leg up to a cut, as its record would describe it. */
function legOf(record: LegRecord): CompletedLeg | null {
  const part = record.part()
  if (part === null) return null
  const { endFrame, nextFrame, kind } = part.cut
  return {
    ...{ fromFrame: record.fromFrame, endFrame, nextFrame, cut: kind, deltas: part.deltas },
    ...{ samples: 1_280, verified: true, groups: part.groups, attempt: 3, heldMs: 1 },
    ...{ lanesRunning: 1, kvBlocks: { granted: 1, held: 1 } },
    engine: { model: 'm', version: null, isStandin: true },
  }
}

/** One lane whose leg is answered as told, and a writer that runs. */
function bench(
  options: { isOwned?: () => boolean; failing?: () => boolean; pauses?: readonly number[] } = {},
) {
  const lane = new LaneProgress({ channel: null, legs: [] }, 0)
  const record = new LegRecord(0, options.pauses?.map(pauseAt) ?? cuts)
  const running: RunningLegRecord = { record, part: () => legOf(record) }
  lane.begin(running)
  const written: number[] = []
  const failures: unknown[] = []
  const lost = new StopRequested('internal', 'lost')
  const isOwned = options.isOwned ?? (() => true)
  const attempt = {
    ...{ jobId: 'j', failuresSinceProgress: 0, signal, isOwned: async () => isOwned() },
    assertOwned: async () => {
      if (!isOwned()) throw lost
    },
  }
  const put: ObjectStore['put'] = async (key, body, how) => {
    if (options.failing?.()) throw new UpstreamError('output_write_failed', 'no')
    return await store.put(key, body, how)
  }
  const ports = {
    store: Object.assign(Object.create(store) as ObjectStore, { put }),
    clock: new SimulatedClock(),
    onWritten: ({ audioMs }: { audioMs: number }) => written.push(audioMs),
    onFailed: (error: unknown) => failures.push(error),
  }
  const writer = new CheckpointWriter(ports, {
    attempt,
    attemptNumber: 2,
    fence: 3,
    resumedFromMs: [],
    lanes: [lane],
  })
  const answer = (deltas: number) => {
    const progress = { deltas, answeredMs: deltas * 80, isExact: true, writing: () => null }
    record.answered(progress)
    writer.noticed()
  }
  return { lane, running, writer, written, failures, lost, answer }
}

/** Runs the writer until so much was reported, and lets it go. */
async function until(writer: CheckpointWriter, isThere: () => boolean): Promise<void> {
  const over = new AbortController()
  const running = writer.run(over.signal)
  running.catch(() => {}) // it is waited for below
  while (!isThere()) await new Promise((resolve) => setImmediate(resolve))
  over.abort(new StopRequested('internal', 'enough'))
  await running.catch(() => {}) // it was told to stop
}

async function keys(): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of store.list(checkpointPrefix('j'), { signal })) found.push(key)
  return found
}

describe('CheckpointWriter', () => {
  it('writes after 45 s of audio, up to the last safe pause', async () => {
    const { writer, written, answer } = bench()
    answer(562)
    await expect(writer.run(AbortSignal.abort('nothing is due'))).rejects.toBe('nothing is due')
    expect(written).toEqual([])
    answer(563)
    await until(writer, () => written.length > 0)
    expect(written).toEqual([500 * 80])
    const read = await readCheckpoint(store, 'j', { signal })
    expect(read).toMatchObject({ fence: 3, number: 1, lanes: [{ safe_offset_ms: 40_000 }] })
  })

  it('writes after every leg, and nothing twice', async () => {
    const { lane, running, writer, written, answer } = bench()
    answer(150)
    await writer.write(signal)
    await writer.write(signal)
    expect(written).toEqual([8_000])
    const leg = running.part() as CompletedLeg
    lane.add({ ...leg, endFrame: 200, nextFrame: 200 })
    await until(writer, () => written.length > 1)
    expect(written).toEqual([8_000, 16_000])
  })

  it('writes what a leg has come to that was stopped, and nothing of one that failed', async () => {
    const { lane, running, writer, written, answer } = bench()
    answer(150)
    lane.lost(running)
    await writer.write(signal)
    expect(written).toEqual([])
    lane.begin(running)
    await writer.write(signal)
    expect(written).toEqual([8_000])
  })

  it('keeps the newest and the one before', async () => {
    const { writer, answer } = bench()
    for (const deltas of [150, 250, 350, 450]) {
      answer(deltas)
      await writer.write(signal)
    }
    expect(await keys()).toEqual([checkpointKey('j', 3, 3), checkpointKey('j', 3, 4)])
  })

  it('goes on when the store refuses, with a number that was never used', async () => {
    let refuses = true
    const { writer, written, failures, answer } = bench({ failing: () => refuses })
    answer(600)
    await until(writer, () => failures.length > 0)
    refuses = false
    answer(1_200)
    await until(writer, () => written.length > 0)
    expect(await keys()).toEqual([checkpointKey('j', 3, 2)])
  })

  // issue 5: what a kill cost came to 93 s, because a write that was refused was next tried 45 s of
  // audio later.
  it('tries again after 5 s of audio when the store has refused', async () => {
    let refuses = true
    const { writer, written, failures, answer } = bench({ failing: () => refuses })
    answer(600)
    await until(writer, () => failures.length > 0)
    refuses = false
    answer(662)
    await expect(writer.run(AbortSignal.abort('nothing is due'))).rejects.toBe('nothing is due')
    answer(663)
    await until(writer, () => written.length > 0)
    expect(written).toEqual([600 * 80])
    // From then on it is 45 s again.
    answer(663 + 562)
    await expect(writer.run(AbortSignal.abort('nothing is due'))).rejects.toBe('nothing is due')
  })

  it('waits twice as long each time that the store refuses, up to 45 s', async () => {
    const { writer, failures, answer } = bench({ failing: () => true })
    let frame = 563
    for (const [refusals, frames] of [63, 125, 250, 500, 563, 563].entries()) {
      answer(frame)
      await until(writer, () => failures.length > refusals)
      answer(frame + frames - 1)
      await expect(writer.run(AbortSignal.abort('not due'))).rejects.toBe('not due')
      frame += frames
    }
    expect(failures).toHaveLength(6)
  })

  it('looks again after 5 s of audio when no new pause was there', async () => {
    const { writer, written, answer } = bench({ pauses: [100, 1_200] })
    answer(563)
    await until(writer, () => written.length > 0)
    for (const frame of [1_126, 1_189]) {
      answer(frame)
      await writer.write(signal)
    }
    expect(written).toEqual([100 * 80])
    answer(1_251)
    await expect(writer.run(AbortSignal.abort('nothing is due'))).rejects.toBe('nothing is due')
    answer(1_252)
    await until(writer, () => written.length > 1)
    expect(written).toEqual([100 * 80, 1_200 * 80])
  })

  it('stops with the reason once the job is another worker’s, and writes nothing', async () => {
    const { writer, lost, answer } = bench({ isOwned: () => false })
    answer(600)
    await expect(writer.run(signal)).rejects.toBe(lost)
    expect(await keys()).toEqual([])
  })

  it('counts anew from where a lost leg went back to', async () => {
    const { lane, running, writer, written, answer } = bench()
    answer(600)
    await writer.write(signal)
    // Its session breaks; the part that is safe stays, and the next one begins there.
    const part = running.part() as CompletedLeg
    lane.lost(running)
    lane.add(part)
    await writer.write(signal)
    const next = new LegRecord(part.nextFrame, cuts)
    lane.begin({ record: next, part: () => legOf(next) })
    const progress = { deltas: 563, answeredMs: 563 * 80, isExact: true, writing: () => null }
    writer.noticed()
    next.answered(progress)
    writer.noticed()
    await until(writer, () => written.length > 1)
    expect(written).toEqual([500 * 80, 1_000 * 80])
  })
})
