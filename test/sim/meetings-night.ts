import { seededRandom } from '../../src/kernel/seeded-random.js'
import { STEP_MS } from '../../src/model/pcm.js'
import type { NightJob } from '../../src/planning/simulated-night.js'
import { CARDS, type Card, CURVE, engineOf } from './card-plans.js'
import { runNight } from './night-run.js'
import { framesOf, meetingS, randomCuts } from './recordings.js'

const MEETINGS = 300
const LANES_MAX = 64
const FLOOR_S = 20
const SHAPE = { medianS: 2_400, sigma: 0.6, leastS: 120, mostS: 7_200 }

/** How long a night of meetings took, one way or another. */
export interface MeetingsNight {
  policy: string
  lanesMax: number
  makespanS: number
  /** Of the bound that no way can beat. */
  ratio: number
  kvBlocksMax: number
  overflows: number
}

/** The bounds of a night of meetings: memory, sessions, the longest one; and how it went. */
export interface MeetingsFigures {
  kvBoundS: number
  sessionBoundS: number
  longestS: number
  nights: MeetingsNight[]
}

/** Three hundred meetings on an L40S: `elastic`, and `fixed` with numbers that fit or don't. */
export async function runMeetings(seed: number): Promise<MeetingsFigures> {
  const record = CARDS[0] as Card
  const jobs = meetings(seed)
  const audioS = jobs.reduce((sum, job) => sum + (job.lanes[0]?.remainingMs ?? 0) / 1_000, 0)
  const floorFrames = (FLOOR_S * 1_000) / STEP_MS
  const blocksMean = CURVE.sumUntil(floorFrames) / floorFrames
  const kvBoundS = (audioS * blocksMean) / record.kvBlocks
  const sessionBoundS = audioS / LANES_MAX
  const longestS = Math.max(...jobs.map((job) => (job.lanes[0]?.remainingMs ?? 0) / 1_000))
  const boundS = Math.max(kvBoundS, sessionBoundS, longestS)
  const nights: MeetingsNight[] = []
  // Never cut for longer than the ceiling, a session holds at most so many blocks.
  const safe = Math.floor(record.kvBlocks / (CURVE.peakBlocks(7_500) + CURVE.blocksAfter(60)))
  for (const [policy, lanesMax] of [
    ['elastic', LANES_MAX],
    ['fixed', LANES_MAX],
    ['fixed', safe],
  ] as const) {
    const engine = engineOf(record, { policy, lanesMax, floorS: FLOOR_S })
    const { endedMs, truths } = await runNight({ seed, engines: [engine], jobs })
    const { blocksMax: kvBlocksMax, overflows } = truths[0] ?? { blocksMax: 0, overflows: 0 }
    const makespanS = endedMs / 1_000
    const ratio = makespanS / boundS
    nights.push({ policy, lanesMax, makespanS, ratio, kvBlocksMax, overflows })
  }
  return { kvBoundS, sessionBoundS, longestS, nights }
}

function meetings(seed: number): NightJob[] {
  const random = seededRandom(seed)
  return Array.from({ length: MEETINGS }, (_, at) => {
    const cuts = randomCuts(random, { durationS: meetingS(random, SHAPE), pauseEveryS: 6 })
    return {
      tenant: 'default',
      jobId: `meeting-${at}`,
      name: `meeting ${at}`,
      priority: 0,
      deadlineMs: null,
      live: false,
      arrivalMs: 0,
      lanes: [{ pace: 1, fromFrame: 0, cuts, remainingMs: framesOf(cuts) * STEP_MS }],
    }
  })
}
