import type { Policy } from '../../../src/admission/load/engine-plan.js'
import type { Random } from '../../../src/kernel/random.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import { LegCurve } from '../../../src/model/leg-curve.js'
import { STEP_MS } from '../../../src/model/pcm.js'
import { STEP_BUDGET_MS } from '../../../src/model/step-model.js'
import type { CutSettings } from '../../../src/pipeline/replay/find-cuts.js'
import type { LegTrouble } from '../../../src/planning/simulated-leg.js'
import { type NightEngine, NO_TROUBLE } from '../night-run.js'
import { between, logBetween, pick } from '../random-night.js'
import type { Outage } from '../watched-store.js'
import type { SessionTrouble } from './chaos-engine.js'
import { type ChaosJob, randomChaosJobs } from './chaos-recording.js'

/** What befalls somebody in a chaos night. */
export type Mishap = { atMs: number } & (
  | { kind: 'kill' | 'vanish'; worker: number; backMs: number }
  | { kind: 'drain'; worker: number; backMs: number }
  | { kind: 'freeze' | 'suspend'; worker: number; durationMs: number }
  | { kind: 'engine-death'; engine: number; downMs: number }
  | { kind: 'session'; engine: number; trouble: SessionTrouble }
  | { kind: 'flush' }
)

/** An engine with the model that its curve is of. */
export interface RandomEngine extends NightEngine {
  kv: KvModel
}

/** A chaos night, all of it by its seed. */
export interface ChaosNight {
  seed: number
  engines: readonly RandomEngine[]
  jobs: readonly ChaosJob[]
  workers: number
  mishaps: readonly Mishap[]
  outages: readonly Outage[]
  trouble: LegTrouble
  cuts: CutSettings
  /** Share of the puts of results and checkpoints before which the process freezes, for so long. */
  freezeAtPut: { share: number; mostMs: number }
  /** Every job has ended by then, whatever befell. */
  untilMs: number
}

/** The four ways in which vLLM counts blocks, their curves tabled once. */
const MODELS = [16, 32].flatMap((blockTokens) =>
  [189, 750].map((encoderWindowTokens) => {
    const kv: KvModel = {
      ...{ blockTokens, encoderWindowTokens, decoderWindowTokens: 8192, decoderBlockRatio: 8 },
    }
    return { kv, curve: new LegCurve(kv) }
  }),
)

const SHAPES = {
  1: { countMax: 16, longestS: 900, hoursMax: 0.8, spreadMs: 300_000 },
  2: { countMax: 8, longestS: 300, hoursMax: 0.3, spreadMs: 60_000 },
} as const

/** Draws a night. */
export function randomChaos(
  seed: number,
  { depth, policy: wanted }: { depth: 1 | 2; policy: Policy | null },
): ChaosNight {
  const random = seededRandom(seed * 6_151 + depth)
  const drawn = pick<Policy>(random, ['elastic', 'elastic', 'elastic', 'profile', 'reserve'])
  const engines = Array.from({ length: between(random, 1, 3) }, (_, at) =>
    randomEngine(random, { at, policy: wanted ?? drawn, isLarge: depth === 1 }),
  )
  const skipSilenceMs = random.uniform() < 0.3 ? 15_000 : null
  const cuts = { pauseMinMs: 400, overlapMs: 2_000, skipSilenceMs }
  const jobs = randomChaosJobs(random, SHAPES[depth], cuts)
  const workers = between(random, 1, 3)
  const lastArrivalMs = Math.max(...jobs.map(({ arrivalMs }) => arrivalMs))
  // Most of it while somebody is at work; a night is longer the more befalls it.
  const longestMs = Math.max(...jobs.map(({ replayMs, lanes }) => replayMs / lanes))
  const within = lastArrivalMs + 60_000 + 1.5 * longestMs
  const mishaps = randomMishaps(random, { within, workers, engines: engines.length })
  const outages = Array.from({ length: random.uniform() < 0.4 ? between(random, 1, 3) : 0 }, () => {
    const fromMs = random.uniform() * within
    return { fromMs, untilMs: fromMs + logBetween(random, 500, 90_000) }
  })
  const isFreezing = random.uniform() < 0.4
  const freezeAtPut = { share: isFreezing ? 0.03 : 0, mostMs: 120_000 }
  return {
    ...{ seed, engines, jobs, workers, mishaps, outages, cuts, freezeAtPut },
    trouble: random.uniform() < 0.5 ? randomTrouble(random) : NO_TROUBLE,
    untilMs: boundMs(jobs, mishaps, outages),
  }
}

/**
 * Nobody starves: a night is over when every lane could have been carried alone, one after the
 * other, twice, with what befell it: two minutes for each mishap and each job, for what was lost
 * is found by the queue's own round, of ten minutes at the most.
 */
function boundMs(
  jobs: readonly ChaosJob[],
  mishaps: readonly Mishap[],
  outages: readonly Outage[],
): number {
  const replayMs = jobs.reduce((sum, job) => sum + job.replayMs + 120_000 * job.lanes, 0)
  const lastArrivalMs = Math.max(...jobs.map(({ arrivalMs }) => arrivalMs))
  const outMs = outages.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0)
  const flushes = mishaps.filter(({ kind }) => kind === 'flush').length
  const befellMs = mishaps.length * 120_000 + flushes * 600_000 + outMs
  return lastArrivalMs + 2 * replayMs + 1_800_000 + befellMs
}

function randomEngine(
  random: Random,
  { at, policy, isLarge }: { at: number; policy: Policy; isLarge: boolean },
): RandomEngine {
  const { kv, curve } = pick(random, MODELS)
  const capacity = Math.round(logBetween(random, 45, isLarge ? 1_728 : 300))
  const hasSteps = random.uniform() < 0.2
  const baseMs = hasSteps ? between(random, 5, 20) : 0
  const floorFrames = between(random, 150, 300)
  return {
    id: `ws://engine-${at}/v1/realtime`,
    plan: {
      policy,
      limits: {
        kvBlocks: capacity,
        stepMs: hasSteps ? 0.8 * STEP_BUDGET_MS - baseMs : Number.POSITIVE_INFINITY,
        sessions: Number.POSITIVE_INFINITY,
        lanes: Number.POSITIVE_INFINITY,
      },
      curve,
      stepModel: hasSteps ? { baseMs, perSessionMs: 0.25, perFrameMs: 0.0015 } : null,
      floorFrames,
      ceilingFrames: floorFrames + between(random, 300, isLarge ? 7_500 : 1_500),
      openAheadMs: 1_000,
      tailMs: 17 * STEP_MS,
    },
    ...{ capacity, baseMs, kv },
  }
}

function randomMishaps(
  random: Random,
  { within, workers, engines }: { within: number; workers: number; engines: number },
): Mishap[] {
  const draw = (): Mishap => {
    const atMs = random.uniform() * within
    const worker = between(random, 0, workers - 1)
    const engine = between(random, 0, engines - 1)
    const backMs = logBetween(random, 1_000, 120_000)
    const share = random.uniform()
    if (share < 0.2) return { atMs, kind: 'kill', worker, backMs }
    if (share < 0.28) return { atMs, kind: 'vanish', worker, backMs }
    if (share < 0.38) return { atMs, kind: 'drain', worker, backMs }
    if (share < 0.5) return { atMs, kind: 'freeze', worker, durationMs: backMs }
    if (share < 0.6) return { atMs, kind: 'suspend', worker, durationMs: backMs }
    if (share < 0.72) {
      return { atMs, kind: 'engine-death', engine, downMs: logBetween(random, 500, 90_000) }
    }
    if (share < 0.96) {
      return { atMs, kind: 'session', engine, trouble: pick(random, ['drop', 'stall']) }
    }
    return { atMs, kind: 'flush' }
  }
  const count = Math.round(logBetween(random, 1, 20))
  return Array.from({ length: count }, draw).sort((one, other) => one.atMs - other.atMs)
}

function randomTrouble(random: Random): LegTrouble {
  const some = (most: number) => (random.uniform() < 0.5 ? random.uniform() * most : 0)
  return {
    failShare: some(0.08),
    slipShare: some(0.05),
    slipMaxMs: random.uniform() * 8_000,
    tailMaxMs: random.uniform() * 2_000,
    lateCloseShare: some(0.2),
    lateCloseMaxMs: random.uniform() * 6_000,
  }
}
