import type { EnginePlan, Policy } from '../../src/admission/load/engine-plan.js'
import { frameMsOf } from '../../src/admission/load/engine-plan.js'
import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import type { KvModel } from '../../src/model/kv-model.js'
import { LegCurve } from '../../src/model/leg-curve.js'
import { STEP_MS } from '../../src/model/pcm.js'
import { STEP_BUDGET_MS } from '../../src/model/step-model.js'
import type { LegTrouble } from '../../src/planning/simulated-leg.js'
import type { NightJob } from '../../src/planning/simulated-night.js'
import { type NightEngine, type NightRun, NO_TROUBLE, type WorkerFate } from './night-run.js'
import { framesOf, randomCuts } from './recordings.js'

const HOUR_S = 3_600

/** The four ways in which vLLM counts blocks, their curves tabled once. */
const CURVES = [16, 32].flatMap((blockTokens) =>
  [189, 750].map((encoderWindowTokens): LegCurve => {
    const model: KvModel = {
      blockTokens,
      encoderWindowTokens,
      decoderWindowTokens: 8192,
      decoderBlockRatio: 8,
    }
    return new LegCurve(model)
  }),
)

/** What is fixed of a random night; everything else comes from its seed. */
export interface NightWish {
  policy: Policy | null
}

/** A night of jobs and troubles, all of it by its seed. */
export function randomNight(seed: number, wish: NightWish): NightRun {
  const random = seededRandom(seed * 7_919 + 17)
  const policy =
    wish.policy ?? pick(random, ['elastic', 'elastic', 'elastic', 'profile', 'reserve'])
  const engines = Array.from({ length: between(random, 1, 3) }, (_, at) => {
    return randomEngine(random, `engine-${at}`, policy)
  })
  const isTroubled = random.uniform() < 0.6
  const spreadMs = random.uniform() < 0.5 ? 0 : random.uniform() * 1_800_000
  const jobs = randomJobs(random, {
    countMin: 1,
    countMax: 60,
    hoursMax: 3,
    longestS: 900,
    spreadMs,
  })
  const lastArrivalMs = Math.max(...jobs.map(({ arrivalMs }) => arrivalMs))
  const workers = random.uniform() < 0.5 ? 1 : between(random, 2, 3)
  const within = lastArrivalMs + 600_000
  const fates = Array.from({ length: workers }, (_, at) => {
    return randomFate(random, { within, mayDie: at > 0, isTroubled })
  })
  const hasOutage = isTroubled && random.uniform() < 0.15
  const fromMs = random.uniform() * within
  const outages = hasOutage ? [{ fromMs, untilMs: fromMs + random.uniform() * 20_000 }] : []
  return {
    ...{ seed, engines, jobs, fates, outages },
    trouble: isTroubled ? randomTrouble(random) : NO_TROUBLE,
    untilMs: boundMs(jobs),
  }
}

/**
 * Nobody starves: whatever happens, a night is over when every lane could have been carried alone,
 * one after the other, with a minute for each, twice, and a quarter of an hour for what befell it.
 */
function boundMs(jobs: readonly NightJob[]): number {
  const lanes = jobs.flatMap((job) => job.lanes)
  const serialMs = lanes.reduce((sum, { remainingMs }) => sum + remainingMs + 60_000, 0)
  const lastArrivalMs = Math.max(...jobs.map(({ arrivalMs }) => arrivalMs))
  return lastArrivalMs + 2 * serialMs + 900_000
}

function randomEngine(random: Random, id: string, policy: Policy): NightEngine {
  const curve = pick(random, CURVES)
  const capacity = Math.round(logBetween(random, 39, 7_232))
  const safety = random.uniform() < 0.5 ? 1 : 0.96
  const hasSteps = random.uniform() < 0.35
  const baseMs = hasSteps ? between(random, 5, 30) : 0
  const isNarrow = random.uniform() < 0.25
  const floorFrames = between(random, 150, 400)
  const plan: EnginePlan = {
    policy,
    limits: {
      kvBlocks: Math.floor(capacity * safety),
      stepMs: hasSteps ? 0.8 * STEP_BUDGET_MS - baseMs : Number.POSITIVE_INFINITY,
      sessions: isNarrow ? between(random, 2, 16) : Number.POSITIVE_INFINITY,
      lanes: random.uniform() < 0.15 ? between(random, 1, 12) : Number.POSITIVE_INFINITY,
    },
    curve,
    stepModel: hasSteps
      ? { baseMs, perSessionMs: random.uniform(), perFrameMs: random.uniform() * 0.004 }
      : null,
    floorFrames,
    ceilingFrames: floorFrames + between(random, 300, 7_500),
    openAheadMs: between(random, 500, 2_000),
    tailMs: 17 * STEP_MS + between(random, 0, 1_000),
  }
  return { id, plan, capacity, baseMs }
}

/** What the jobs of a night are like. */
export interface JobShape {
  countMin: number
  countMax: number
  /** Audio in all lanes together, about. */
  hoursMax: number
  /** Most recordings are shorter; a few may be of four hours. */
  longestS: number
  /** They arrive within so long. */
  spreadMs: number
}

/** Recordings of all kinds, by chance. */
export function randomJobs(random: Random, shape: JobShape): NightJob[] {
  const count = Math.round(logBetween(random, shape.countMin, shape.countMax))
  let leftS = (0.2 + 0.8 * random.uniform()) * shape.hoursMax * HOUR_S
  const jobs: NightJob[] = []
  for (let at = 0; at < count && leftS > 0; at += 1) {
    // The last one may be longer than what is left.
    const isLong = shape.hoursMax > 1 && random.uniform() < 0.03
    const durationS = logBetween(random, 10, isLong ? 4 * HOUR_S : shape.longestS)
    const lanes = random.uniform() < 0.8 ? 1 : between(random, 2, 3)
    leftS -= durationS * lanes
    jobs.push(randomJob(random, { at, durationS, lanes, spreadMs: shape.spreadMs }))
  }
  return jobs
}

function randomJob(
  random: Random,
  {
    at,
    durationS,
    lanes,
    spreadMs,
  }: { at: number; durationS: number; lanes: number; spreadMs: number },
): NightJob {
  const pace = pick(random, [1, 1, 1, 1, 1.5, 0])
  const pauseEveryS = random.uniform() < 0.1 ? 600 : 3 + random.uniform() * 27
  const skipShare = random.uniform() < 0.15 ? 0.05 : 0
  const arrivalMs = random.uniform() * spreadMs
  const isUrgent = random.uniform() < 0.2
  return {
    tenant: 'default',
    jobId: `job-${at}`,
    name: `recording ${at}`,
    priority: random.uniform() < 0.2 ? between(random, 0, 10) : 0,
    deadlineMs: isUrgent ? arrivalMs + random.uniform() * 3_600_000 : null,
    live: false,
    arrivalMs,
    lanes: Array.from({ length: lanes }, () => {
      const cuts = randomCuts(random, { durationS, pauseEveryS, skipShare })
      return { pace, fromFrame: 0, cuts, remainingMs: framesOf(cuts) * frameMsOf(pace) }
    }),
  }
}

function randomTrouble(random: Random): LegTrouble {
  const some = (most: number) => (random.uniform() < 0.5 ? random.uniform() * most : 0)
  return {
    failShare: some(0.15),
    slipShare: some(0.05),
    slipMaxMs: random.uniform() * 10_000,
    tailMaxMs: random.uniform() * 3_000,
    lateCloseShare: some(0.2),
    lateCloseMaxMs: random.uniform() * 8_000,
  }
}

function randomFate(
  random: Random,
  { within, mayDie, isTroubled }: { within: number; mayDie: boolean; isTroubled: boolean },
): WorkerFate {
  const killedMs = mayDie && isTroubled && random.uniform() < 0.3 ? random.uniform() * within : null
  if (!isTroubled || random.uniform() < 0.7) return { killedMs, hangs: [] }
  const fromMs = random.uniform() * within
  return { killedMs, hangs: [{ fromMs, untilMs: fromMs + random.uniform() * 30_000 }] }
}

/** One of several. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.uniform() * items.length)] as T
}

/** A whole number. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random.uniform() * (most - least + 1))
}

/** Evenly spread over orders of magnitude. */
export function logBetween(random: Random, least: number, most: number): number {
  return least * (most / least) ** random.uniform()
}
