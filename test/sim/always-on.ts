import type { Ledger } from '../../src/admission/ledger/ledger.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import type { NightJob } from '../../src/planning/simulated-night.js'
import { type NightEngine, type NightResult, runNight } from './night-run.js'
import { randomCuts } from './recordings.js'

const MINUTE_MS = 60_000
/** Pauses come at random, so far apart on average. */
const PAUSE_EVERY_S = 6
const FRAMES = 12.5

/** What meetings without an end have come to on one engine. */
export interface AlwaysOn {
  /** How many are carried at the end. */
  sessions: number
  /** When the last of them began. */
  lastStartS: number
  /** Of the legs that ended after the first sixth. */
  meanLegS: number
  legs: number
  kvBlocksMax: number
  stepMsMax: number
  overflows: number
  /** A ledger of its fullest time. */
  ledger: Ledger
}

/** Lets so many meetings without an end ask for one engine. */
export async function runAlwaysOn(
  engine: NightEngine,
  options: { meetings: number; minutes: number; seed: number },
): Promise<AlwaysOn> {
  const { meetings, minutes, seed } = options
  const untilMs = minutes * MINUTE_MS
  const jobs = endlessJobs(meetings, untilMs * 2, seed)
  const result = await runNight({ seed, engines: [engine], jobs, untilMs })
  return figures(result, untilMs / 6)
}

function endlessJobs(count: number, durationMs: number, seed: number): NightJob[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, at) => ({
    tenant: 'default',
    jobId: `meeting-${at}`,
    name: `meeting ${at}`,
    priority: 0,
    deadlineMs: null,
    live: false,
    arrivalMs: 0,
    lanes: [
      {
        pace: 1,
        fromFrame: 0,
        cuts: randomCuts(random, { durationS: durationMs / 1_000, pauseEveryS: PAUSE_EVERY_S }),
        remainingMs: durationMs,
      },
    ],
  }))
}

function figures(result: NightResult, fromMs: number): AlwaysOn {
  const legs = result.legs.filter(({ atMs }) => atMs > fromMs)
  const frames = legs.reduce((sum, { fromFrame, endFrame }) => sum + endFrame - fromFrame, 0)
  const truth = result.truths[0]
  return {
    sessions: result.startedMs.size,
    lastStartS: Math.round(Math.max(0, ...result.startedMs.values()) / 1_000),
    meanLegS: legs.length === 0 ? Number.POSITIVE_INFINITY : frames / legs.length / FRAMES,
    legs: legs.length,
    kvBlocksMax: truth?.blocksMax ?? 0,
    stepMsMax: truth?.stepMsMax ?? 0,
    overflows: truth?.overflows ?? 0,
    ledger: result.fullest,
  }
}
