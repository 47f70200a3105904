import { setMaxListeners } from 'node:events'
import { planOfPart } from '../../src/admission/ledger/engine-limits.js'
import { FILL_SHARE } from '../../src/admission/legs/cut-search.js'
import { GrowingCuts } from '../../src/admission/legs/growing-cuts.js'
import { type EnginePlan, legFramesFor } from '../../src/admission/load/engine-plan.js'
import { type Clock, sleepFor } from '../../src/kernel/clock.js'
import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { LegCurve } from '../../src/model/leg-curve.js'
import { STEP_MS } from '../../src/model/pcm.js'
import type { NightJob } from '../../src/planning/simulated-night.js'
import { checkNight } from './check-night.js'
import { type NightEngine, type NightResult, type NightRun, runNight } from './night-run.js'
import { between, randomJobs } from './random-night.js'

const HOUR_MS = 3_600_000
/** In which live sessions come. */
const SPAN_MS = 0.5 * HOUR_MS
/** How often a speaker is heard. */
const HEARD_EVERY_MS = 500
/** A pause is heard after it has begun, and a leg can end only after that. */
const CUT_AHEAD_FRAMES = 40
const OVERLAP_FRAMES = 25
const KV = {
  blockTokens: 16,
  encoderWindowTokens: 750,
  decoderWindowTokens: 8192,
  decoderBlockRatio: 8,
}

/** One person who speaks to the live gateway. */
interface LiveSession {
  jobId: string
  arrivalMs: number
  frames: number
  cuts: GrowingCuts
  /** Where pauses begin. */
  pauses: readonly number[]
}

/** A night with live sessions in it, and what went wrong. */
export interface LiveNight {
  run: NightRun
  result: NightResult
  faults: string[]
  sessions: number
  /** From a live session's arrival to its first lease. */
  waitsMs: readonly number[]
  /** Lanes of recordings and live sessions that the engine runs at most by its plan. */
  seats: { live: number; batch: number }
}

/**
 * Recordings at the engine's capacity, and live sessions that come and go: one in each
 * seat of their share at a time. All of it by the seed.
 */
export async function runLiveNight(seed: number): Promise<LiveNight> {
  const random = seededRandom(seed * 15_485_863 + 5)
  const engine = randomEngine(random)
  const { plan, liveShare = 0 } = engine
  const part = (live: boolean) => planOfPart(plan, plan, { liveShare, live })
  const seats = { live: part(true).limits.lanes, batch: seatsIn(part(false)) }
  const sessions = Array.from({ length: seats.live }, (_, seat) => inSeat(random, seat)).flat()
  const shape = { hoursMax: seats.batch, longestS: 1_800, spreadMs: 60_000 }
  const count = seats.batch + 3
  const recordings = randomJobs(random, { countMin: count, countMax: count + 4, ...shape })
  const run: NightRun = {
    ...{ seed, engines: [engine], untilMs: 12 * HOUR_MS },
    jobs: [...recordings, ...sessions.map((session) => jobOf(session))],
    beside: async (clock, options) => {
      setMaxListeners(0, options.signal) // every session listens
      await Promise.all(sessions.map((session) => speak(session, clock, options)))
    },
  }
  const result = await runNight(run)
  const waitsMs = sessions.map(({ jobId, arrivalMs }) => {
    return (result.startedMs.get(jobId) ?? Number.POSITIVE_INFINITY) - arrivalMs
  })
  const faults = [...checkNight(run, result), ...checkLive(sessions, result)]
  return { run, result, faults, sessions: sessions.length, waitsMs, seats }
}

function randomEngine(random: Random): NightEngine {
  const capacity = between(random, 200, 900)
  const floorFrames = between(random, 150, 300)
  const plan: EnginePlan = {
    policy: 'elastic',
    limits: {
      kvBlocks: capacity,
      stepMs: Number.POSITIVE_INFINITY,
      sessions: Number.POSITIVE_INFINITY,
      lanes: Number.POSITIVE_INFINITY,
    },
    curve: new LegCurve(KV),
    stepModel: null,
    floorFrames,
    ceilingFrames: floorFrames + between(random, 400, 2_000),
    openAheadMs: 1_000,
    tailMs: 17 * STEP_MS,
  }
  return { id: 'engine', plan, capacity, baseMs: 0, liveShare: 0.2 + random.uniform() * 0.3 }
}

/** Lanes of real time that a part carries on average with its shortest legs. */
function seatsIn(plan: EnginePlan): number {
  const fits = (lanes: number) => legFramesFor(plan, { lanes, pace: 1 }, FILL_SHARE) !== null
  let seats = 0
  while (fits(seats + 1)) seats += 1
  return seats
}

/** One after the other; the next one comes when the leg of the last one is over. */
function inSeat(random: Random, seat: number): LiveSession[] {
  const sessions: LiveSession[] = []
  let arrivalMs = 60_000 + random.uniform() * 300_000
  while (arrivalMs < SPAN_MS) {
    const frames = between(random, 50, 12_000)
    const cuts = new GrowingCuts({
      quietEveryFrames: 50,
      overlapFrames: OVERLAP_FRAMES,
      aheadFrames: 4_000,
    })
    const pauses: number[] = []
    for (let at = between(random, 20, 200); at < frames; at += between(random, 20, 400)) {
      pauses.push(at)
    }
    const jobId = `live-${seat}-${sessions.length}`
    sessions.push({ jobId, arrivalMs, frames, cuts, pauses })
    // The session speaks until then, and is heard to its end a few seconds later.
    arrivalMs += frames * STEP_MS + 20_000 + random.uniform() * 60_000
  }
  return sessions
}

function jobOf({ jobId, arrivalMs, cuts }: LiveSession): NightJob {
  return {
    ...{ jobId, tenant: 'default', name: jobId, priority: 0, deadlineMs: null, live: true },
    arrivalMs,
    lanes: [{ pace: 1, fromFrame: 0, cuts, remainingMs: 0 }],
  }
}

async function speak(
  { arrivalMs, frames, cuts, pauses }: LiveSession,
  clock: Clock,
  options: { signal: AbortSignal },
): Promise<void> {
  await clock.sleepUntil(arrivalMs, options)
  let paused = 0
  for (;;) {
    const heard = Math.floor((clock.monotonicMs() - arrivalMs) / STEP_MS)
    if (heard >= frames) break
    cuts.heard(heard)
    for (; (pauses[paused] ?? frames) < heard; paused += 1) {
      const nextFrame = pauses[paused] as number
      cuts.add({ endFrame: heard + CUT_AHEAD_FRAMES, nextFrame, kind: 'quiet' })
    }
    await sleepFor(clock, HEARD_EVERY_MS, options)
  }
  cuts.complete(frames)
}

/** Everything that was spoken was heard, in legs that overlap or follow each other. */
function checkLive(sessions: readonly LiveSession[], result: NightResult): string[] {
  return sessions.flatMap(({ jobId, frames }) => {
    const legs = result.legs.filter((leg) => leg.jobId === jobId)
    const faults: string[] = []
    let at = 0
    // What was on its way when the end came may be longer, and another may have followed.
    for (const { fromFrame, endFrame } of legs) {
      if (fromFrame > at) faults.push(`${jobId} has a gap at frame ${at}`)
      if (endFrame <= at && at < frames) faults.push(`${jobId} goes back to frame ${endFrame}`)
      at = Math.max(at, endFrame)
    }
    if (at < frames) faults.push(`${jobId} ends at frame ${at}, of ${frames}`)
    return faults
  })
}
