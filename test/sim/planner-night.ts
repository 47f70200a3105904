import type { SessionDemand } from '../../src/admission/pool/session-pool.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { STEP_MS } from '../../src/model/pcm.js'
import { forecastNight } from '../../src/planning/night-forecast.js'
import { LaneMeasurements } from '../../src/planning/night-lanes.js'
import { type NightEngine, runNight } from './night-run.js'
import { framesOf, meetingS, randomCuts } from './recordings.js'

/** A night that is told in advance, and then carried. */
export interface PlannerWish {
  recordings: number
  engines: readonly NightEngine[]
  shape: Parameters<typeof meetingS>[1]
  seed: number
}

/** How a night was told, and how it went. */
export interface PlannerFigures {
  forecastMs: number
  carriedMs: number
  /** Of the first to the second. */
  ratio: number
  /** The most at a time, of all engines together. */
  lanesForecast: number
  lanesCarried: number
  /** How long the last one waited that was let in, as forecast. */
  waitedMs: number
  overflows: number
}

/**
 * Forecasts a night of recordings and carries it leg by leg: the same lengths, but other pauses and
 * other chance, for nobody knows them in advance. All are in line from the start, longest first.
 */
export async function runPlanner(wish: PlannerWish): Promise<PlannerFigures> {
  const { engines, seed } = wish
  const lengthsS = lengthsOf(wish)
  const { signal } = new AbortController()
  const forecast = await forecastNight(
    {
      engines: engines.map(({ id, plan }) => ({ id, plan, liveShare: 0 })),
      jobs: demandsOf(lengthsS, seed + 1),
      startMs: 0,
      agingMs: 1_800_000,
      measured: new LaneMeasurements(),
    },
    { signal },
  )
  const jobs = demandsOf(lengthsS, seed + 2).map((job) => ({ ...job, arrivalMs: 0 }))
  const carried = await runNight({ seed: seed + 3, engines, jobs })
  return {
    forecastMs: forecast.finishMs,
    carriedMs: carried.endedMs,
    ratio: forecast.finishMs / carried.endedMs,
    lanesForecast: forecast.engines.reduce((sum, { lanesMax }) => sum + lanesMax, 0),
    lanesCarried: mostAtOnce(carried),
    waitedMs: forecast.waitedMs,
    overflows: carried.truths.reduce((sum, { overflows }) => sum + overflows, 0),
  }
}

function lengthsOf({ recordings, shape, seed }: PlannerWish): number[] {
  const random = seededRandom(seed)
  const lengths = Array.from({ length: recordings }, () => meetingS(random, shape))
  return lengths.sort((one, other) => other - one)
}

function demandsOf(lengthsS: readonly number[], seed: number): SessionDemand[] {
  const random = seededRandom(seed)
  return lengthsS.map((durationS, at) => {
    const cuts = randomCuts(random, { durationS, pauseEveryS: 6 })
    const lane = { pace: 1, fromFrame: 0, cuts, remainingMs: framesOf(cuts) * STEP_MS }
    const jobId = `recording-${at}`
    return {
      tenant: 'default',
      jobId,
      name: jobId,
      priority: 0,
      deadlineMs: null,
      live: false,
      lanes: [lane],
    }
  })
}

function mostAtOnce(night: {
  startedMs: ReadonlyMap<string, number>
  finishedMs: ReadonlyMap<string, number>
}): number {
  const begins = [...night.startedMs.values()].map((atMs) => ({ atMs, lanes: 1 }))
  const ends = [...night.finishedMs.values()].map((atMs) => ({ atMs, lanes: -1 }))
  let lanes = 0
  let most = 0
  for (const change of [...begins, ...ends].sort((a, b) => a.atMs - b.atMs || a.lanes - b.lanes)) {
    lanes += change.lanes
    most = Math.max(most, lanes)
  }
  return most
}
