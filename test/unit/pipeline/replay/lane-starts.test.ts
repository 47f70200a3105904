import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/kernel/clock.js'
import { StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import type { MsRange } from '../../../../src/kernel/ms-range.js'
import { systemRandom } from '../../../../src/kernel/random.js'
import { STEP_MS, STEP_SAMPLES } from '../../../../src/model/pcm.js'
import { asCheckpoint } from '../../../../src/pipeline/checkpoint/checkpoint.js'
import type { CompletedLane, CompletedLeg } from '../../../../src/pipeline/legs/completed-leg.js'
import type { CutSettings } from '../../../../src/pipeline/replay/find-cuts.js'
import { startLanes } from '../../../../src/pipeline/replay/lane-starts.js'
import type { AnalysisDocument } from '../../../../src/storage/documents/analysis-document.js'
import { PackedRanges } from '../../../../src/storage/documents/packed-ranges.js'
import { writeJson } from '../../../../src/storage/documents/stored-json.js'
import { openFolderStore } from '../../../../src/storage/folder/folder-object-store.js'
import type { ObjectStore } from '../../../../src/storage/index.js'
import { checkpointKey, peaksKey } from '../../../../src/storage/keys.js'

const { signal } = new AbortController()
/** Of every lane: 8 min. */
const FRAMES = 6_000
/** A pause of a second every half a minute. */
const PAUSES: MsRange[] = Array.from({ length: 15 }, (_, at) => {
  return [(at + 1) * 30_000, (at + 1) * 30_000 + 1_000]
})

let folder = ''
let store: ObjectStore
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-starts-'))
  store = await openFolderStore({ root: folder, clock: systemClock(), random: systemRandom() })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** What is known of a job with so many lanes; without their waveforms unless they are stored. */
function analysisOf(
  lanes: number,
  changes: { frames?: number; pausesMs?: MsRange[] } = {},
): AnalysisDocument {
  const { frames = FRAMES, pausesMs = PAUSES } = changes
  return {
    ...{ duration_ms: frames * STEP_MS, samples: frames * STEP_SAMPLES },
    lanes: Array.from({ length: lanes }, (_, at) => {
      const channel = lanes === 1 ? null : at
      return {
        channel,
        pauses_ms: new PackedRanges(pausesMs),
        peaks: { per_second: 20, key: peaksKey('j', channel) },
      }
    }),
  } as unknown as AnalysisDocument
}

function startsOf(
  analysis: AnalysisDocument,
  options: { cuts?: Partial<CutSettings>; from?: ObjectStore; signal?: AbortSignal } = {},
) {
  const cuts = { pauseMinMs: 400, overlapMs: 2_000, skipSilenceMs: null, ...options.cuts }
  const ports = { store: options.from ?? store, limits: { cuts } }
  const job = { jobId: 'j', analysis }
  return startLanes(ports as Parameters<typeof startLanes>[0], job, {
    signal: options.signal ?? signal,
  })
}

function leg(changes: Partial<CompletedLeg>): CompletedLeg {
  const endFrame = changes.endFrame ?? 1_000
  return {
    ...{ fromFrame: 0, endFrame, nextFrame: endFrame, cut: 'pause', samples: 1_280 },
    ...{ deltas: endFrame, verified: true, groups: [], attempt: 1, heldMs: 1, lanesRunning: 1 },
    engine: { model: 'm', version: null, isStandin: true },
    kvBlocks: { granted: 1, held: 1 },
    ...changes,
  }
}

/** Lays a checkpoint down; each lane by its legs. */
async function lay(
  lanes: readonly (readonly CompletedLeg[])[],
  at: { fence?: number; number?: number; resumedFromMs?: number[] } = {},
): Promise<void> {
  const { fence = 1, number = 1, resumedFromMs = [] } = at
  const carried = lanes.map((legs, channel): CompletedLane => {
    return { channel: lanes.length === 1 ? null : channel, legs: [...legs] }
  })
  const facts = {
    attempt: fence,
    jobId: 'j',
    fence,
    number,
    writtenAtMs: 0,
    lanes: carried,
    resumedFromMs,
  }
  await writeJson(store, checkpointKey('j', fence, number), asCheckpoint(facts), { signal })
}

/** As a table: where each lane goes on, what of it is left and done, and its complete legs. */
async function table(...args: Parameters<typeof startsOf>) {
  const { lanes, resumedFromMs } = await startsOf(...args)
  return {
    lanes: lanes.map(({ fromFrame, framesLeft, doneMs, progress }) => {
      return [fromFrame, framesLeft, doneMs, progress.count]
    }),
    resumedFromMs,
  }
}

const AT_ITS_BEGINNING = { lanes: [[0, FRAMES, 0, 0]], resumedFromMs: [] }

describe('a job without a checkpoint', () => {
  it('begins at its beginning, in every lane', async () => {
    expect(await table(analysisOf(1))).toEqual(AT_ITS_BEGINNING)
    const { lanes } = await startsOf(analysisOf(2))
    expect(lanes.map(({ lane, progress: { channel } }) => [lane, channel])).toEqual([
      [0, 0],
      [1, 1],
    ])
  })

  it('begins after a silence that is skipped, of which nothing is done', async () => {
    const quiet: MsRange = [0, 61_000]
    const cuts = { skipSilenceMs: 20_000 }
    const found = await table(analysisOf(1, { pausesMs: [quiet] }), { cuts })
    expect(found).toEqual({ lanes: [[750, FRAMES - 750, 0, 0]], resumedFromMs: [] })
  })
})

describe('a job with checkpoints', () => {
  it('goes on where the newest one ends, and says so', async () => {
    await lay([[leg({ endFrame: 381 })]], { fence: 1, number: 9 })
    await lay([[leg({ endFrame: 756 })]], { fence: 2, number: 1, resumedFromMs: [30_480] })
    await lay([[leg({ endFrame: 1_131 })]], { fence: 2, number: 2, resumedFromMs: [30_480] })
    expect(await table(analysisOf(1))).toEqual({
      lanes: [[1_131, FRAMES - 1_131, 90_480, 1]],
      resumedFromMs: [30_480, 90_480],
    })
  })

  it('passes over one that cannot be read', async () => {
    await lay([[leg({ endFrame: 381 })]], { fence: 3, number: 1 })
    await store.put(checkpointKey('j', 3, 2), Buffer.from('{"schema":'), { signal })
    await store.put(checkpointKey('j', 5, 1).replace('.json', '.txt'), Buffer.from('x'), { signal })
    await store.put(checkpointKey('j', 4, 1), Buffer.from('{"schema":"other"}'), { signal })
    expect((await table(analysisOf(1))).lanes).toEqual([[381, FRAMES - 381, 30_480, 1]])
  })

  it.each([
    ['other lanes', [[leg({ endFrame: 381 })], [leg({ endFrame: 381 })]]],
    ['audio beyond its end', [[leg({ endFrame: 381 }), leg({ endFrame: FRAMES + 2 })]]],
  ])('trusts nothing of one that is of another analysis: %s', async (_, lanes) => {
    await lay(lanes, { resumedFromMs: [12_000] })
    expect(await table(analysisOf(1))).toEqual(AT_ITS_BEGINNING)
  })

  it('takes one whose last frame is not whole for what it is', async () => {
    const analysis = analysisOf(1)
    analysis.samples -= 1_000
    analysis.duration_ms -= 62.5
    await lay([[leg({ endFrame: FRAMES, cut: 'end' })]])
    expect(await table(analysis)).toEqual({
      lanes: [[FRAMES, 0, analysis.duration_ms, 1]],
      resumedFromMs: [analysis.duration_ms],
    })
  })

  it('goes on in each lane where that one was, and leaves complete ones alone', async () => {
    const done = [leg({ endFrame: 756 }), leg({ fromFrame: 756, endFrame: FRAMES, cut: 'end' })]
    await lay([done, [leg({ endFrame: 1_131 })], []])
    expect(await table(analysisOf(3))).toEqual({
      lanes: [
        [FRAMES, 0, FRAMES * STEP_MS, 2],
        [1_131, FRAMES - 1_131, 90_480, 1],
        [0, FRAMES, 0, 0],
      ],
      resumedFromMs: [FRAMES * STEP_MS],
    })
  })

  it('was not resumed by one that holds no leg', async () => {
    await lay([[], []], { resumedFromMs: [1_000] })
    const { resumedFromMs } = await table(analysisOf(2))
    expect(resumedFromMs).toEqual([1_000])
  })

  it('leaves a lane alone whose last silence was left out, by settings that replay it too', async () => {
    const pausesMs: MsRange[] = [[420_000, FRAMES * STEP_MS]]
    await lay([[leg({ endFrame: 5_263, cut: 'end' })]])
    for (const skipSilenceMs of [20_000, null]) {
      const { lanes } = await table(analysisOf(1, { pausesMs }), { cuts: { skipSilenceMs } })
      expect(lanes).toEqual([[5_263, 0, 5_263 * STEP_MS, 1]])
    }
  })

  it('leaves out no audio and counts none twice, wherever the checkpoint ends', async () => {
    const silence = fc.integer({ min: 30_000, max: 400_000 }).map((fromMs): MsRange[] => {
      return [[fromMs, fromMs + 45_000]]
    })
    const pauses = fc.oneof(fc.constant<MsRange[]>([]), fc.constant(PAUSES), silence)
    await fc.assert(
      fc.asyncProperty(pauses, fc.nat(), async (pausesMs, pick) => {
        const cuts = { skipSilenceMs: 20_000 }
        const analysis = analysisOf(1, { pausesMs })
        for await (const { key } of store.list('', { signal })) await store.delete(key, { signal })
        const [whole] = (await startsOf(analysis, { cuts })).lanes
        const ways = whole?.cuts ?? []
        const at = ways[pick % ways.length]
        await lay([[leg({ endFrame: at?.endFrame ?? 0, nextFrame: at?.nextFrame ?? 0 })]])
        const [rest] = (await startsOf(analysis, { cuts })).lanes
        const skipped = ways
          .filter(({ kind, endFrame }) => kind === 'skip' && endFrame <= (at?.endFrame ?? 0))
          .reduce((sum, { endFrame, nextFrame }) => sum + nextFrame - endFrame, 0)
        expect(rest?.cuts).toEqual(ways)
        expect(rest?.fromFrame).toBe(at?.nextFrame)
        const before = (rest?.fromFrame ?? 0) - (whole?.fromFrame ?? 0) - skipped
        expect(before + (rest?.framesLeft ?? 0)).toBe(whole?.framesLeft)
      }),
      { numRuns: 40 },
    )
  })
})

describe('storage that is away', () => {
  it('fails the attempt, which must not begin anew over text that is safe', async () => {
    await lay([[leg({ endFrame: 381 })]])
    const away = new UpstreamError('storage_unavailable', 'Away.')
    const get = async () => Promise.reject(away)
    const from = Object.assign(Object.create(store) as ObjectStore, { get })
    await expect(startsOf(analysisOf(1), { from })).rejects.toBe(away)
  })
})

describe('the waveform of a lane', () => {
  const QUIET_AT_S = 4
  /** Even noise, with one quiet place. */
  const peaks = new Uint8Array((FRAMES * STEP_MS) / 50).fill(90).fill(0, QUIET_AT_S * 20, 82)
  const firstCut = async (from = store) => {
    const { lanes } = await startsOf(analysisOf(1, { pausesMs: [] }), { from })
    return lanes[0]?.cuts[0]?.nextFrame
  }

  it('says where unbroken talk is best cut; where it is gone the middle is', async () => {
    const middle = await firstCut()
    await store.put(peaksKey('j', null), peaks, { signal })
    expect(await firstCut()).toBe(Math.round((QUIET_AT_S * 1_000 + 50) / STEP_MS))
    expect(middle).toBe(63)
  })

  it('is waited for where storage is away: other cuts would fit no checkpoint', async () => {
    const away = new UpstreamError('storage_unavailable', 'Away.')
    const get = async () => Promise.reject(away)
    const from = Object.assign(Object.create(store) as ObjectStore, { get })
    await expect(firstCut(from)).rejects.toBe(away)
  })

  it('is not read for a job that was stopped', async () => {
    const stop = new StopRequested('canceled', 'Stop.')
    const stopped = startsOf(analysisOf(1), { signal: AbortSignal.abort(stop) })
    await expect(stopped).rejects.toBe(stop)
  })
})
