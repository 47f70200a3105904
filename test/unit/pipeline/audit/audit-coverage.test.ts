import { describe, expect, it } from 'vitest'
import type { LaneChain } from '../../../../src/admission/lane/lane-chain.js'
import type { Admission, SessionDemand } from '../../../../src/admission/pool/session-pool.js'
import { CapacityError, StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import { SimulatedClock } from '../../../../src/kernel/simulated-clock.js'
import { STEP_MS, STEP_SAMPLES } from '../../../../src/model/pcm.js'
import { auditCoverage } from '../../../../src/pipeline/audit/audit-coverage.js'
import type { RerunWindow } from '../../../../src/pipeline/audit/window-reruns.js'
import type { CompletedLane, CompletedLeg } from '../../../../src/pipeline/legs/completed-leg.js'
import { findCuts } from '../../../../src/pipeline/replay/find-cuts.js'
import type { Transcription } from '../../../../src/pipeline/transcription.js'
import { PackedRanges } from '../../../../src/storage/documents/packed-ranges.js'
import { alignDeltas } from '../../../../src/transcript/words/align.js'

const FRAMES = 3_000
const WAITING: Admission = {
  ...{ kind: 'waiting', place: 1, reason: 'kv', expectedStartMs: null, retryAfterMs: 45_000 },
}

/** A leg that hears a word every 400 ms, but for the frames in which it hears nothing. */
function legOf(
  fromFrame: number,
  endFrame: number,
  deaf: readonly (readonly [number, number])[] = [],
): CompletedLeg {
  const deltas = Array.from({ length: endFrame - fromFrame }, (_, step) => {
    const frame = fromFrame + step
    const isDeaf = deaf.some(([from, until]) => frame >= from && frame < until)
    return frame % 5 === 0 && !isDeaf ? ` w${frame}` : ''
  })
  return {
    ...{ fromFrame, endFrame, nextFrame: endFrame, cut: 'end', verified: true, attempt: 1 },
    ...{ samples: (endFrame - fromFrame) * STEP_SAMPLES, deltas: endFrame - fromFrame + 10 },
    groups: alignDeltas(deltas, { leg: 0, legStartMs: fromFrame * STEP_MS, stepMs: STEP_MS }),
    engine: { model: 'm', version: null, isStandin: true },
    ...{ kvBlocks: { granted: 1, held: 1 }, heldMs: 1, lanesRunning: 1 },
  }
}

interface Scene {
  /** By lane: what came back blank, in frames. */
  deaf: readonly (readonly (readonly [number, number])[])[]
  admit?: (demand: SessionDemand, time: number) => Admission
  rerun?: RerunWindow
  rerunShareMax?: number
  frames?: number
  /** The attempt is stopped while the audit asks for the so manieth time. */
  stopsAt?: number
}

const STOP = new StopRequested('canceled', 'Stop.')

/** Audits lanes that speak all the time. */
async function audited(scene: Scene, log: string[] = []) {
  const { deaf, rerunShareMax = 1, frames = FRAMES } = scene
  const clock = new SimulatedClock()
  const stop = new AbortController()
  const told: object[] = []
  const demands: SessionDemand[] = []
  const chain = { end: async () => void log.push('ended') } as unknown as LaneChain
  const admitted: Admission = { kind: 'admitted', lanes: [chain] }
  const samples = frames * STEP_SAMPLES
  const speech = { segments_ms: new PackedRanges([[0, frames * STEP_MS]]) }
  const analysis = {
    ...{ duration_ms: frames * STEP_MS, samples },
    lanes: deaf.map((_, channel) => ({ channel, speech })),
  }
  const job = { name: 'a.wav', options: { pace: 1 } }
  const { cuts } = findCuts(
    { pausesMs: [], peaks: new Uint8Array(0), samples },
    { pauseMinMs: 400, overlapMs: 2_000, skipSilenceMs: null },
  )
  const rerun: RerunWindow = async ({ fromFrame, cuts: own }) => {
    return [legOf(fromFrame, own.at(-1)?.endFrame ?? 0)]
  }
  const auditing = auditCoverage(
    {
      sessions: {
        admit: async (demand) => {
          demands.push(demand)
          if (demands.length === scene.stopsAt) stop.abort(STOP)
          return scene.admit?.(demand, demands.length) ?? admitted
        },
        leave: async (jobId) => void log.push(`left ${jobId}`),
      },
      clock,
      limits: { coverage: { holeMinMs: 3_000, rerunShareMax } },
      observer: { audited: (_, holes) => void told.push(holes) },
    },
    { attempt: { jobId: 'j' }, job, analysis } as unknown as Transcription,
    deaf.map((own, channel): CompletedLane => ({ channel, legs: [legOf(0, frames, own)] })),
    { cuts: deaf.map(() => cuts), rerun: scene.rerun ?? rerun, signal: stop.signal },
  )
  const lanes = await clock.run(auditing)
  return { lanes, told, demands, log, waitedMs: clock.monotonicMs() }
}

/** A hole of 8 s every minute. */
const holes = (count: number) =>
  Array.from({ length: count }, (_, index) => [500 + index * 750, 600 + index * 750] as const)

describe('the audit of a transcript', () => {
  it('asks nobody where every word is there', async () => {
    const { lanes, told, demands } = await audited({ deaf: [[]] })
    expect(demands).toEqual([])
    expect(lanes).toMatchObject([{ reruns: [], failedReruns: [] }])
    expect(told).toEqual([{ found: 0, repaired: 0, foundMs: 0 }])
  })

  it('carries every hole of every lane, one after the other, and gives everything back', async () => {
    const { lanes, told, demands, log } = await audited({ deaf: [holes(2), holes(1)] })
    expect(demands.map(({ jobId, lanes: own }) => [jobId, own.length])).toEqual([
      ['j/audit', 1],
      ['j/audit', 1],
      ['j/audit', 1],
    ])
    expect(log).toEqual(['ended', 'ended', 'ended'])
    expect(lanes.map(({ reruns }) => reruns?.length)).toEqual([2, 1])
    expect(told).toMatchObject([{ found: 3, repaired: 3 }])
  })

  it('waits for room with nothing held, and asks again', async () => {
    const { lanes, waitedMs, log } = await audited({
      deaf: [holes(1)],
      ...{ admit: (_, time) => (time < 4 ? WAITING : undefined) as Admission },
    })
    expect(lanes[0]?.reruns).toHaveLength(1)
    expect(waitedMs).toBe(15_000)
    expect(log).toEqual(['ended'])
  })

  it('gives up when there is no room for long, for all holes together', async () => {
    const { lanes, waitedMs, log } = await audited({ deaf: [holes(2)], admit: () => WAITING })
    expect(lanes[0]?.failedReruns?.map(({ reason }) => reason)).toEqual([
      'engine_overloaded',
      'engine_overloaded',
    ])
    expect(waitedMs).toBe(900_000)
    expect(log).toEqual(['left j/audit', 'left j/audit'])
  })

  it('tries again when the engine has gone away under a session', async () => {
    let times = 0
    const { lanes, log } = await audited({
      deaf: [holes(1)],
      rerun: async ({ fromFrame, cuts }) => {
        times += 1
        if (times > 1) return [legOf(fromFrame, cuts.at(-1)?.endFrame ?? 0)]
        throw new CapacityError('engine_unavailable', 'No engine is up.', { retryAfterMs: 1_000 })
      },
    })
    expect(lanes[0]?.reruns).toHaveLength(1)
    expect(log).toEqual(['ended', 'ended'])
  })

  it('names what sessions failed with, and asks no more after three in a row', async () => {
    const { lanes, demands, told } = await audited({
      deaf: [holes(4)],
      rerun: async () => {
        throw new UpstreamError('engine_crashed', 'The engine is gone.')
      },
    })
    expect(demands).toHaveLength(3)
    expect(lanes[0]?.failedReruns?.map(({ reason }) => reason)).toEqual(
      Array.from({ length: 4 }, () => 'engine_crashed'),
    )
    expect(lanes[0]?.legs).toHaveLength(1)
    expect(told).toMatchObject([{ found: 4, repaired: 0 }])
  })

  it('carries the holes with the most speech where not all may be', async () => {
    const frames = 15_000 // 20 min, of which the half may be carried
    const deaf = [
      [500, 600],
      [1_500, 6_500],
      [8_000, 12_000],
      [13_000, 13_200],
    ] as const
    const { lanes } = await audited({ deaf: [deaf], frames, rerunShareMax: 0.5 })
    const first = (at: readonly (readonly [number, number])[]) => (at[0]?.[0] ?? 0) / STEP_MS
    expect(lanes[0]?.reruns?.map(({ holesMs }) => Math.round(first(holesMs)))).toEqual([
      495, 1_495, 12_995,
    ])
    expect(lanes[0]?.failedReruns).toMatchObject([{ reason: 'audit_limit' }])
  })

  it('carries nothing where nothing may be', async () => {
    const { lanes, demands } = await audited({ deaf: [holes(1)], rerunShareMax: 0 })
    expect(demands).toEqual([])
    expect(lanes[0]?.failedReruns).toMatchObject([{ reason: 'audit_limit' }])
  })

  it('ends with a bug of ours', async () => {
    const bug = new TypeError('not a function')
    const rerun = () => Promise.reject(bug)
    await expect(audited({ deaf: [holes(1)], rerun })).rejects.toBe(bug)
  })

  it('ends with a stop, and leaves the line', async () => {
    const log: string[] = []
    const stopped = audited({ deaf: [holes(2)], admit: () => WAITING, stopsAt: 3 }, log)
    await expect(stopped).rejects.toBe(STOP)
    expect(log).toEqual(['left j/audit'])
  })
})
