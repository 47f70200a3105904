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

/** Audio that is carried to see how many lanes there are; some seconds of computing. */
const CARRIED_AUDIO_MS = 6 * 3_600_000
/** Long enough for lanes that came in together to have spread their cuts. */
const WINDOW_MS_MIN = 200_000
const WINDOW_MS_MAX = 900_000
/** The lanes are counted over the end of the window. */
const COUNTED_SHARE = 0.5
/** Engines that are looked at together: each plans for all that wait before all of them. */
const ENGINES_MEASURED_MAX = 3
/** Larger ones are looked at in small: what it costs grows with the square of their lanes. */
const LANES_MEASURED_MAX = 280
/** With legs so many times as long as the shortest ones there is always a cut at the right time. */
const LONG_LEGS = 2
/** Room that is searched for the lanes of the shortest legs. */
const LANES_MAX = 4_096

/** Nothing goes wrong; the last steps of a leg take a third of a second. */
const NO_TROUBLE: LegTrouble = {
  ...{ failShare: 0, slipShare: 0, slipMaxMs: 0, tailMaxMs: 300 },
  ...{ lateCloseShare: 0, lateCloseMaxMs: 0 },
}

/**
 * The lanes that an engine has room for with legs of the floor's length, on average: what its
 * blocks and steps allow if cuts could be placed at will. Null: as many as anybody asks for.
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

/** Equal for engines that carry the same. */
export function planKind(plan: EnginePlan): string {
  const curve = [plan.curve.openBlocks, plan.curve.steps]
  return JSON.stringify({ ...plan, curve }, (_, value) => (value === Infinity ? 'none' : value))
}

/** Whether a limit on lanes binds so early that legs stay long: then they all find their cuts. */
function hasLongLegs(plan: EnginePlan, pace: number): boolean {
  const { limits, floorFrames } = plan
  if (!Number.isFinite(limits.lanes)) return false
  const frames = legFramesFor(plan, { lanes: limits.lanes, pace }, FILL_SHARE)
  return frames !== null && frames >= floorFrames * LONG_LEGS
}

/** What is measured: engines of one kind, and what they are to carry. */
export interface LaneQuestion {
  readonly plan: EnginePlan
  /** How many engines of this kind there are. */
  readonly engines: number
  /** In the order in which they would be let in. */
  readonly jobs: readonly SessionDemand[]
}

/**
 * What was measured, by kind and number of engines; for one set of recordings at one pace, so that
 * plans that differ in something else don't measure the same again.
 */
export class LaneMeasurements {
  private readonly known = new Map<string, number | null>()

  /** See `measureLanes`; null also where the policy's lanes are known without it. */
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
 * How many lanes an engine carries on average while more wait than it can take. Cuts can't be
 * placed at will, so they are fewer than `lanesByMean`; how many is seen by letting the real
 * rotation carry some of these jobs, leg by leg, for some minutes.
 *
 * @returns null where nobody had to wait
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
  const windowMs = Math.min(WINDOW_MS_MAX, Math.max(WINDOW_MS_MIN, CARRIED_AUDIO_MS / lanes))
  const chosen = midnightJobs(jobs, { lanes, audioMs: lanes * windowMs * 2 })
  const plans = Array.from({ length: looked }, () => ({ ...plan, limits }))
  const counted = await carryFor(windowMs, plans, chosen, signal)
  return counted === null ? null : counted / looked / share
}

/**
 * The jobs of a moment in the middle of the night: as many lanes as may fit are somewhere on their
 * way, so that some of them end while it is looked, and others wait for their places.
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

/** @returns the lanes of all engines on average, while somebody waits; null when nobody did */
async function carryFor(
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
/** A shorter wait than this is that of a line that forms and dissolves. */
const WAITED_MS_MIN = 10_000

/** The lanes that are carried, counted within a stretch of time while others wait. */
class LaneCounter {
  private readonly fromMs: number
  private readonly toMs: number
  private waiting: number
  private lanes = 0
  private most = 0
  private lastMs = 0
  /** How long somebody waited at all, and within the stretch. */
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

  /** Null when nobody waited. */
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
