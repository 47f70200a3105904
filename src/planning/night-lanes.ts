import { FILL_SHARE } from '../admission/legs/cut-search.js'
import { cutsOf } from '../admission/legs/lane-cuts.js'
import { type EnginePlan, legFramesFor } from '../admission/load/engine-plan.js'
import type { SessionDemand } from '../admission/pool/session-pool.js'
import { MemoryLedgerStore } from '../admission/store/memory-ledger-store.js'
import { MemoryWaitingList } from '../admission/store/memory-waiting-list.js'
import { StopRequested } from '../kernel/errors.js'
import { seededRandom } from '../kernel/seeded-random.js'
import { SimulatedClock } from '../kernel/simulated-clock.js'
import { paceOf } from './night-course.js'
import type { LegTrouble } from './simulated-leg.js'
import { simulateNight } from './simulated-night.js'

/** Audio that is replayed in a measurement of lanes: 6 h, some seconds of computing. */
const REPLAYED_AUDIO_MS = 6 * 3_600_000
/** Shortest measurement: lanes admitted together have spread their cuts by then. */
const WINDOW_MS_MIN = 200_000
const WINDOW_MS_MAX = 900_000
/** The lanes are counted over this share of the measurement, at its end. */
const COUNTED_SHARE = 0.5
/** Engines that are measured together: lanes wait for all engines of a kind in one queue. */
const ENGINES_MEASURED_MAX = 3
/** Larger engines are measured at a smaller scale: the time grows with the square of the lanes. */
const LANES_MEASURED_MAX = 280
/** With legs twice as long as the shortest ones there is always a cut at the right time. */
const LONG_LEGS = 2
/** The most lanes for which room is searched, with the shortest legs. */
const LANES_MAX = 4_096

/** Nothing goes wrong; the last steps of a leg take up to 0.3 s. */
const NO_TROUBLE: LegTrouble = {
  ...{ failShare: 0, slipShare: 0, slipMaxMs: 0, tailMaxMs: 300 },
  ...{ lateCloseShare: 0, lateCloseMaxMs: 0 },
}

/**
 * The lanes that an engine has room for with legs of the shortest length, on average: what its
 * blocks and steps would allow if cuts could be placed at any moment. Null: no limit below 4,096.
 */
export function lanesByMean(plan: EnginePlan, pace: number): number | null {
  const fits = (lanes: number) => legFramesFor(plan, { lanes, pace }, FILL_SHARE) !== null
  let high = Math.min(LANES_MAX, plan.limits.lanes + 1)
  if (fits(high)) return high > plan.limits.lanes ? plan.limits.lanes : null
  let low = 0
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (fits(middle)) low = middle
    else high = middle
  }
  return low
}

/** A text that is equal for engines with equal plans. */
export function planKind(plan: EnginePlan): string {
  const curve = [plan.curve.openBlocks, plan.curve.steps]
  return JSON.stringify({ ...plan, curve }, (_, value) => (value === Infinity ? 'none' : value))
}

/**
 * Whether a limit on lanes leaves room for legs at least twice as long as the shortest: then all
 * lanes find their cuts, and the limit is the number of lanes, without a measurement.
 */
function hasLongLegs(plan: EnginePlan, pace: number): boolean {
  const { limits, floorFrames } = plan
  if (!Number.isFinite(limits.lanes)) return false
  const frames = legFramesFor(plan, { lanes: limits.lanes, pace }, FILL_SHARE)
  return frames !== null && frames >= floorFrames * LONG_LEGS
}

/** What is measured: engines of one kind, and the jobs that wait for them. */
export interface LaneQuestion {
  readonly plan: EnginePlan
  /** How many engines of this kind there are. */
  readonly engines: number
  /** In the order in which they would be admitted. */
  readonly jobs: readonly SessionDemand[]
}

/**
 * Measurements by kind and number of engines, for one set of recordings at one pace. Plans that
 * differ in something else reuse them: a measurement takes seconds.
 */
export class LaneMeasurements {
  private readonly known = new Map<string, number | null>()

  /** See `measureLanes`; null also where the number of lanes is known without a measurement. */
  async lanesOf(question: LaneQuestion, options: { signal: AbortSignal }): Promise<number | null> {
    const { plan, engines, jobs } = question
    if (plan.policy !== 'elastic' || hasLongLegs(plan, paceOf(jobs))) return null
    const key = `${Math.min(engines, ENGINES_MEASURED_MAX)} ${planKind(plan)}`
    const known = this.known.get(key)
    if (known !== undefined) return known
    const lanes = await measureLanes(question, options)
    this.known.set(key, lanes)
    return lanes
  }
}

/**
 * How many lanes run on an engine on average while more lanes wait than it has room for. Cuts can't
 * be placed at any moment, so they are fewer than `lanesByMean`. The number is measured by
 * simulating some of these jobs with the real rotation, leg by leg, for 200 to 900 s.
 *
 * @returns null where no job had to wait
 * @throws the signal's reason
 */
export async function measureLanes(
  { plan, engines, jobs }: LaneQuestion,
  { signal }: { signal: AbortSignal },
): Promise<number | null> {
  const byMean = lanesByMean(plan, paceOf(jobs))
  if (byMean === null || byMean < 1) return byMean
  const looked = Math.min(engines, ENGINES_MEASURED_MAX)
  const share = Math.min(1, LANES_MEASURED_MAX / (byMean * looked))
  const { kvBlocks, stepMs } = plan.limits
  const limits = { ...plan.limits, kvBlocks: kvBlocks * share, stepMs: stepMs * share }
  const lanes = Math.ceil(byMean * share) * looked
  const windowMs = Math.min(WINDOW_MS_MAX, Math.max(WINDOW_MS_MIN, REPLAYED_AUDIO_MS / lanes))
  const chosen = midnightJobs(jobs, { lanes, audioMs: lanes * windowMs * 2 })
  const plans = Array.from({ length: looked }, () => ({ ...plan, limits }))
  const counted = await lanesOver(windowMs, plans, chosen, signal)
  return counted === null ? null : counted / looked / share
}

/**
 * The jobs of a moment in the middle of the night. As many lanes as may fit have already a random
 * share of their audio behind them, so that some of them end during the measurement; the others
 * wait for their room.
 */
function midnightJobs(
  jobs: readonly SessionDemand[],
  { lanes, audioMs }: { lanes: number; audioMs: number },
): SessionDemand[] {
  const random = seededRandom(1)
  const chosen: SessionDemand[] = []
  let takenLanes = 0
  let takenMs = 0
  for (const job of jobs) {
    if (takenLanes >= lanes * 2 && takenMs >= audioMs) break
    const taken = takenLanes < lanes ? underWay(job, random.uniform()) : job
    chosen.push(taken)
    takenLanes += taken.lanes.length
    takenMs += taken.lanes.reduce((sum, { remainingMs }) => sum + remainingMs, 0)
  }
  return chosen
}

function underWay(job: SessionDemand, share: number): SessionDemand {
  const lanes = job.lanes.map((lane) => {
    const endFrame = cutsOf(lane.cuts).at(-1)?.endFrame ?? lane.fromFrame
    const doneFrames = Math.floor((endFrame - lane.fromFrame) * share)
    const fromFrame = lane.fromFrame + doneFrames
    return { ...lane, fromFrame, remainingMs: lane.remainingMs * (1 - share) }
  })
  return { ...job, lanes }
}

/** @returns lanes of all engines on average while jobs waited; null when none waited */
async function lanesOver(
  windowMs: number,
  plans: readonly EnginePlan[],
  jobs: readonly SessionDemand[],
  signal: AbortSignal,
): Promise<number | null> {
  const clock = new SimulatedClock()
  const over = new AbortController()
  const lanesOf = new Map(jobs.map(({ jobId, lanes }) => [jobId, lanes.length]))
  const lanes = (jobId: string) => lanesOf.get(jobId) ?? 0
  const range = { fromMs: windowMs * (1 - COUNTED_SHARE), toMs: windowMs }
  const offered = [...lanesOf.values()].reduce((sum, count) => sum + count, 0)
  const counter = new LaneCounter({ ...range, waiting: offered })
  const night = simulateNight({
    engines: plans.map((plan, index) => ({ id: `engine ${index}`, plan })),
    jobs: jobs.map((job) => ({ ...job, arrivalMs: 0 })),
    ...{ clock, random: seededRandom(1), trouble: NO_TROUBLE },
    store: new MemoryLedgerStore({ clock }),
    waiting: new MemoryWaitingList({ clock }),
    openSession: () => UNSEEN,
    onStart: (jobId, atMs) => counter.begin(atMs, lanes(jobId)),
    onFinish: (jobId, atMs) => counter.end(atMs, lanes(jobId)),
    onRefuse: (jobId) => counter.leave(clock.monotonicMs(), lanes(jobId)),
    agingMs: Number.MAX_SAFE_INTEGER,
    signal: AbortSignal.any([signal, over.signal]),
  })
  const ending = clock.sleepUntil(windowMs, { signal }).then(() => over.abort(WINDOW_OVER))
  const carried = night.catch((error) => {
    if (error !== WINDOW_OVER) throw error
  })
  await clock.run(Promise.race([Promise.all([ending, carried]), carried]))
  return counter.mean()
}

const WINDOW_OVER = new StopRequested('internal', 'The window of a measurement is over.')
const UNSEEN = { heard() {}, finished() {}, closed() {} }
/** Waits of less than 10 s in all don't count: every admission of several jobs takes a moment. */
const WAITED_MS_MIN = 10_000

/** Counts the lanes that run, within a range of time and only while others wait. */
class LaneCounter {
  private readonly fromMs: number
  private readonly toMs: number
  private waiting: number
  private lanes = 0
  private most = 0
  private lastMs = 0
  /** Time in which any job waited; `countedMs`: the part of it within the range. */
  private waitedMs = 0
  private countedMs = 0
  private laneMs = 0

  constructor(options: { fromMs: number; toMs: number; waiting: number }) {
    this.fromMs = options.fromMs
    this.toMs = options.toMs
    this.waiting = options.waiting
  }

  begin(atMs: number, lanes: number): void {
    this.passUntil(atMs)
    this.waiting -= lanes
    this.lanes += lanes
    this.most = Math.max(this.most, this.lanes)
  }

  end(atMs: number, lanes: number): void {
    this.passUntil(atMs)
    this.lanes -= lanes
  }

  leave(atMs: number, lanes: number): void {
    this.passUntil(atMs)
    this.waiting -= lanes
  }

  /** Lanes on average; null when no job waited for 10 s. */
  mean(): number | null {
    this.passUntil(this.toMs)
    if (this.waitedMs < WAITED_MS_MIN) return null
    return this.countedMs < WAITED_MS_MIN ? this.most : this.laneMs / this.countedMs
  }

  private passUntil(atMs: number): void {
    const untilMs = Math.min(atMs, this.toMs)
    if (this.waiting > 0) {
      const countedMs = Math.max(0, untilMs - Math.max(this.lastMs, this.fromMs))
      this.waitedMs += Math.max(0, untilMs - this.lastMs)
      this.countedMs += countedMs
      this.laneMs += this.lanes * countedMs
    }
    this.lastMs = Math.max(this.lastMs, untilMs)
  }
}
