import type { Fault } from '../../gpu/standin/faults/fault-kinds.js'
import { type InProcessEngine, inProcessEngine } from '../../gpu/standin/in-process-engine.js'
import { createMetronomeFactory } from '../../gpu/standin/recognizers/metronome-recognizer.js'
import type { LegLease } from '../../src/admission/lane/leg-lease.js'
import { type EnginePlan, frameMsOf, type Policy } from '../../src/admission/load/engine-plan.js'
import type { Clock } from '../../src/kernel/clock.js'
import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import type { KvModel } from '../../src/model/kv-model.js'
import { LegCurve } from '../../src/model/leg-curve.js'
import { FRAME_BYTES, STEP_MS } from '../../src/model/pcm.js'
import { STEP_BUDGET_MS } from '../../src/model/step-model.js'
import {
  type SessionMeter,
  type SessionRequest,
  type SessionRunner,
  sessionRunner,
} from '../../src/realtime/run-session.js'
import { checkNight } from './check-night.js'
import {
  type LegCarrier,
  type NightEngine,
  type NightResult,
  type NightRun,
  runNight,
} from './night-run.js'
import { between, logBetween, pick, randomJobs } from './random-night.js'

const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const FRAME_SAMPLES = FRAME_BYTES / 2
/** Nothing is heard, so that one frame serves all. */
const SILENT_FRAME = new Uint8Array(FRAME_BYTES)
const UNHEARD: SessionMeter = {
  connected: () => {},
  frameSent: () => {},
  deltaReceived: () => {},
  held: () => {},
  finished: () => {},
}

/** A night whose sessions run frame by frame, with what went wrong in it. */
export interface SessionNight {
  result: NightResult
  faults: string[]
}

/**
 * One night by its seed: real session code against stand-in engines without sockets, which stop for
 * ever when their blocks run out.
 */
export async function runSessionNight(
  seed: number,
  wish: { policy: Policy | null },
): Promise<SessionNight> {
  const random = seededRandom(seed * 104_729 + 3)
  const drawn = pick<Policy>(random, ['elastic', 'elastic', 'profile', 'reserve'])
  const policy = wish.policy ?? drawn
  const engines = Array.from({ length: between(random, 1, 2) }, (_, at) => {
    return randomEngine(random, `engine-${at}`, policy)
  })
  const shape = { countMin: 3, countMax: 16, hoursMax: 1, longestS: 240, spreadMs: 60_000 }
  const jobs = randomJobs(random, shape)
  const standins = new Map<string, InProcessEngine>()
  const faults: string[] = []
  const run: NightRun = {
    ...{ seed, engines, jobs, untilMs: 4 * 3_600_000 },
    carrier: (clock) => {
      for (const engine of engines) standins.set(engine.id, standinOf(engine, { clock, random }))
      return carrier(clock, standins, (fault) => faults.push(fault))
    },
  }
  const result = await runNight(run)
  for (const [id, { stats }] of standins) {
    if (stats.deadlocks > 0) faults.push(`${id} stood still ${stats.deadlocks} times`)
    if (stats.kvBlocksHeld > 0) faults.push(`${id} holds ${stats.kvBlocksHeld} blocks at rest`)
  }
  return { result, faults: [...faults, ...checkNight(run, result)] }
}

interface SessionEngine extends NightEngine {
  kv: KvModel
  faults: Fault[]
}

function randomEngine(random: Random, id: string, policy: Policy): SessionEngine {
  const kv = {
    blockTokens: pick(random, [16, 32]),
    encoderWindowTokens: pick(random, [189, 750]),
    decoderWindowTokens: 8192,
    decoderBlockRatio: 8,
  }
  const capacity = Math.round(logBetween(random, 45, 300))
  const hasSteps = random.uniform() < 0.3
  const baseMs = hasSteps ? between(random, 5, 20) : 0
  const floorFrames = between(random, 120, 250)
  const plan: EnginePlan = {
    policy,
    limits: {
      kvBlocks: capacity,
      stepMs: hasSteps ? 0.8 * STEP_BUDGET_MS - baseMs : Number.POSITIVE_INFINITY,
      sessions: Number.POSITIVE_INFINITY,
      lanes: Number.POSITIVE_INFINITY,
    },
    curve: new LegCurve(kv),
    stepModel: hasSteps ? { baseMs, perSessionMs: 0.25, perFrameMs: 0.0015 } : null,
    floorFrames,
    ceilingFrames: floorFrames + between(random, 200, 1_000),
    openAheadMs: 1_000,
    tailMs: 17 * STEP_MS,
  }
  return { id, plan, capacity, baseMs, kv, faults: randomFaults(random) }
}

function randomFaults(random: Random): Fault[] {
  if (random.uniform() < 0.4) return []
  const afterDeltas = between(random, 10, 400)
  const count = between(random, 1, 3)
  const fault = pick<Fault>(random, [
    { kind: 'processing_error', afterDeltas, count },
    { kind: 'stall', afterDeltas, count },
    { kind: 'drop', afterDeltas, count },
    { kind: 'slow_deltas', everyMs: between(random, 85, 160), count },
    { kind: 'early_done', afterDeltas, count },
    { kind: 'no_done', count },
    { kind: 'refuse', count },
    { kind: 'engine_death', afterDeltas, downMs: between(random, 1_000, 60_000), count: 1 },
  ])
  return [fault]
}

function standinOf(
  engine: SessionEngine,
  { clock, random }: { clock: Clock; random: Random },
): InProcessEngine {
  const { kv, capacity, plan, faults } = engine
  return inProcessEngine({
    ...{ clock, random, faults, modelId: MODEL },
    recognizer: createMetronomeFactory(null),
    resources: { kv, kvBlocksUsable: capacity, stepModel: plan.stepModel },
  })
}

/** Carries legs through real sessions with the stand-ins, and looks at what came back. */
function carrier(
  clock: Clock,
  standins: ReadonlyMap<string, InProcessEngine>,
  onFault: (sentence: string) => void,
): LegCarrier {
  const runners = new Map<string, SessionRunner>()
  for (const [id, opener] of standins) runners.set(id, sessionRunner({ opener, clock }))
  return async (lease, { pace, signal }) => {
    const run = runners.get(lease.client.engine) as SessionRunner
    const result = await run(requestOf(lease, { pace, onFault }), { signal })
    const samples = lease.frames * FRAME_SAMPLES
    if (!result.verified || result.samples !== samples) {
      onFault(`${lease.chainId} leg ${lease.index}: ${result.deltas} deltas of ${samples} samples`)
    }
  }
}

function requestOf(
  lease: LegLease,
  parts: { pace: number; onFault: (sentence: string) => void },
): SessionRequest {
  const { pace, onFault } = parts
  const frameMs = frameMsOf(pace)
  return {
    engine: { url: `ws://${lease.client.engine}/v1/realtime`, key: null },
    model: MODEL,
    audio: {
      async *frames() {
        for (let index = 0; index < lease.frames; index += 1) yield SILENT_FRAME
      },
    },
    pace: pace === 0 ? 'max' : pace,
    permission: lease,
    isExcused: () => false,
    leg: lease.index,
    legStartMs: lease.fromFrame * STEP_MS,
    limits: {
      createdTimeoutMs: 10_000,
      stallTimeoutMs: 3_000,
      doneTimeoutMs: 30_000,
      blankSpeechMaxMs: null,
      deltaDelayMs: 0,
    },
    mayEndShort: false,
    lagMaxMs: 4_000,
    speechAt: () => false,
    meter: {
      ...UNHEARD,
      frameSent: (nowMs) => {
        const dueMs = lease.startMs + lease.sentFrames * frameMs
        if (pace > 0 && nowMs < dueMs - 1e-6) onFault(`${lease.chainId} is early at ${nowMs} ms`)
      },
    },
    onGroup: () => {},
    onProgress: () => {},
  }
}
