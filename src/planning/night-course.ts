import type { Waiter } from '../admission/index.js'
import type { LaneChain } from '../admission/lane/lane-chain.js'
import { LedgerClient } from '../admission/ledger/ledger-client.js'
import { FILL_SHARE } from '../admission/legs/cut-search.js'
import {
  type EnginePlan,
  type LaneLoad,
  laneLoadOf,
  legFramesFor,
  type Policy,
} from '../admission/load/engine-plan.js'
import { type SessionDemand, SessionPool } from '../admission/pool/session-pool.js'
import { InputError } from '../kernel/errors.js'
import { seededRandom } from '../kernel/seeded-random.js'
import { SimulatedClock } from '../kernel/simulated-clock.js'
import { DEFAULT_TENANT } from '../kernel/tenant.js'
import { STEP_MS } from '../model/pcm.js'
import { NightLedgers } from './night-ledgers.js'
import { NightLine } from './night-line.js'

/** While jobs wait, the forecast checks for room every 10 s, and at every end of a job. */
const LOOK_INTERVAL_MS = 10_000
/** The same for policies where every check computes all legs of the night: it costs more. */
const LOOK_INTERVAL_KNOWN_MS = 30_000

const KNOWN_POLICIES: readonly Policy[] = ['reserve', 'profile']

/** An engine of a forecast. */
export interface ForecastEngine {
  readonly id: string
  readonly plan: EnginePlan
  /** Share of the engine that is kept for live sessions, 0 to 1. */
  readonly liveShare: number
}

/** The night that is to be forecast. */
export interface NightCourse {
  readonly engines: readonly ForecastEngine[]
  readonly jobs: readonly SessionDemand[]
  /** When the night begins, with every job in the queue; ms of the Unix epoch. */
  readonly startMs: number
  /** The setting `admission.agingMs`: this wait counts as one step of priority. */
  readonly agingMs: number
}

/** When a job would run. */
export interface JobForecast {
  readonly jobId: string
  readonly engine: string
  /** When its sessions are opened; `finishMs`: when its text is complete. Ms of the Unix epoch. */
  readonly startMs: number
  readonly finishMs: number
}

/** A job that no engine ever has room for; the sentence says why. */
export interface RefusedJob {
  readonly jobId: string
  readonly sentence: string
}

/** What a forecast says of one engine. */
export interface EngineForecast {
  readonly id: string
  /** The most lanes that run on it at a time. */
  readonly lanesMax: number
  /**
   * Average length of legs at that number of lanes; null where the policy doesn't make it depend on
   * them.
   */
  readonly legMs: number | null
}

/** The forecast of a night. */
export interface NightForecast {
  readonly startMs: number
  /** When the last job is complete; `startMs` where there is none. */
  readonly finishMs: number
  /** How long the job waited that was admitted last. */
  readonly waitedMs: number
  /** The jobs in the order in which they begin. */
  readonly jobs: readonly JobForecast[]
  readonly refused: readonly RefusedJob[]
  readonly engines: readonly EngineForecast[]
}

/**
 * Simulates a night on a simulated clock, with nothing going wrong. Queue order, admission, ledgers
 * and plans are the code of production: its session pool admits one job after the other. An
 * admitted lane then advances with the clock (see `NightLedgers`); no leg is replayed.
 *
 * @throws the signal's reason
 */
export async function runCourse(
  night: NightCourse,
  { signal }: { signal: AbortSignal },
): Promise<NightForecast> {
  const clock = new SimulatedClock(night.startMs)
  return await clock.run(new Course(night, clock).run(signal))
}

/** The forecast of each engine, with legs as long as its plan allows for its number of lanes. */
export function engineForecasts(
  { engines, jobs }: Pick<NightCourse, 'engines' | 'jobs'>,
  carried: readonly Pick<EngineForecast, 'lanesMax'>[],
): EngineForecast[] {
  const pace = paceOf(jobs)
  return engines.map(({ id, plan }, at) => {
    const lanesMax = carried[at]?.lanesMax ?? 0
    return { id, lanesMax, legMs: legMsWith(plan, { lanes: lanesMax, pace }) }
  })
}

/** A job that was admitted. */
interface RunningJob {
  finishMs: number
  chains: readonly LaneChain[]
}

/** A forecast that is being computed. */
class Course {
  private readonly night: NightCourse
  private readonly clock: SimulatedClock
  private readonly line: NightLine
  private readonly clients: readonly LedgerClient[]
  private readonly pool: SessionPool
  private readonly waiting: Map<string, SessionDemand>
  private running: RunningJob[] = []
  private readonly told: JobForecast[] = []
  private readonly refused: RefusedJob[] = []
  private readonly lanesMax: number[]
  private readonly lookEveryMs: number

  constructor(night: NightCourse, clock: SimulatedClock) {
    const { engines, jobs, startMs, agingMs } = night
    this.night = night
    this.clock = clock
    this.waiting = new Map(jobs.map((job) => [job.jobId, job]))
    const waiters = jobs.map((job) => waiterOf(job, startMs))
    this.line = new NightLine(waiters, { nowMs: startMs, agingMs })
    const plans = new Map(engines.map(({ id, plan }) => [id, plan]))
    const store = new NightLedgers({ clock, plans })
    const random = seededRandom(1) // for waits after a lost race to write; here is one writer only
    this.clients = engines.map(({ id: engine, plan, liveShare }) => {
      return new LedgerClient({ engine, store, clock, random, plan, liveShare })
    })
    this.lanesMax = engines.map(() => 0)
    const isKnown = engines.some(({ plan: { policy } }) => KNOWN_POLICIES.includes(policy))
    this.lookEveryMs = isKnown ? LOOK_INTERVAL_KNOWN_MS : LOOK_INTERVAL_MS
    this.pool = new SessionPool({
      ...{ clients: this.clients, waiting: this.line, clock, random, agingMs },
      worker: 'forecast',
      isUp: () => true,
    })
  }

  async run(signal: AbortSignal): Promise<NightForecast> {
    const { startMs } = this.night
    while (this.line.length > 0 || this.running.length > 0) {
      await this.endJobs(signal)
      await this.admitDue(signal)
      await this.clock.sleepUntil(this.nextMs(), { signal })
    }
    const last = (moments: readonly number[]) => moments.reduce((a, b) => Math.max(a, b), startMs)
    return {
      startMs,
      finishMs: last(this.told.map(({ finishMs }) => finishMs)),
      waitedMs: last(this.told.map((job) => job.startMs)) - startMs,
      jobs: this.told,
      refused: this.refused,
      engines: engineForecasts(
        this.night,
        this.lanesMax.map((lanesMax) => ({ lanesMax })),
      ),
    }
  }

  private nextMs(): number {
    const ends = this.running.map(({ finishMs }) => finishMs)
    const looks = this.line.length > 0 ? [this.clock.wallMs() + this.lookEveryMs] : []
    return Math.min(...ends, ...looks, Number.MAX_VALUE)
  }

  private async endJobs(signal: AbortSignal): Promise<void> {
    const nowMs = this.clock.wallMs()
    const ended = this.running.filter(({ finishMs }) => finishMs <= nowMs)
    this.running = this.running.filter(({ finishMs }) => finishMs > nowMs)
    for (const { chains } of ended) for (const chain of chains) await chain.end({ signal })
  }

  /** Admits jobs until the pool calls none, or a called job finds no room. */
  private async admitDue(signal: AbortSignal): Promise<void> {
    for (;;) {
      const called = await this.pool.dueWaiters({ signal })
      if (called.length === 0) break
      for (const jobId of called) {
        if (!(await this.tryJob(jobId, signal))) return
      }
    }
    const first = this.line.first
    if (this.running.length > 0 || first === null) return
    // With all engines empty nothing will change: a job without room now would wait for ever.
    if (await this.tryJob(first, signal)) return
    await this.refuse(first, 'an idle engine has no room for all its lanes', signal)
  }

  private async tryJob(jobId: string, signal: AbortSignal): Promise<boolean> {
    const job = this.waiting.get(jobId)
    if (!job) return true
    try {
      const admission = await this.pool.admit(job, { signal })
      if (admission.kind === 'waiting') return false
      this.begin(job, admission.lanes)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      await this.refuse(jobId, error.message, signal)
    }
    return true
  }

  private async refuse(jobId: string, sentence: string, signal: AbortSignal): Promise<void> {
    this.refused.push({ jobId, sentence })
    this.waiting.delete(jobId)
    await this.pool.leave(jobId, { signal })
  }

  private begin({ jobId, lanes }: SessionDemand, chains: readonly LaneChain[]): void {
    this.waiting.delete(jobId)
    const startMs = this.clock.wallMs()
    const engine = chains[0]?.engine ?? ''
    const at = this.night.engines.findIndex(({ id }) => id === engine)
    const plan = this.night.engines[at]?.plan
    const aroundMs = plan ? plan.openAheadMs + plan.tailMs : 0
    const finishMs = startMs + Math.max(...lanes.map(({ remainingMs }) => remainingMs)) + aroundMs
    this.running.push({ finishMs, chains })
    this.told.push({ jobId, engine, startMs, finishMs })
    const carried = this.clients[at]?.ledger.chains.length ?? 0
    this.lanesMax[at] = Math.max(this.lanesMax[at] ?? 0, carried)
  }
}

/** The entry of a job in the waiting list. */
export function waiterOf(
  { jobId, lanes, priority, deadlineMs }: SessionDemand,
  sinceMs: number,
): Waiter {
  const remainingMs = Math.max(...lanes.map((lane) => lane.remainingMs))
  const noRoomMs = null
  return {
    tenant: DEFAULT_TENANT,
    jobId,
    lanes: lanes.length,
    priority,
    deadlineMs,
    remainingMs,
    sinceMs,
    noRoomMs,
  }
}

/** Average pace of all lanes of some jobs. */
export function paceOf(jobs: readonly SessionDemand[]): number {
  return laneLoadOf(jobs.flatMap((job) => job.lanes.map(({ pace }) => pace))).pace
}

/** Average length of legs, in ms, with a number of lanes on an engine; null as in `legMs`. */
function legMsWith(plan: EnginePlan, { lanes, pace }: LaneLoad): number | null {
  if (plan.policy !== 'elastic' || lanes === 0) return null
  const frames = legFramesFor(plan, { lanes, pace }, FILL_SHARE)
  return frames === null ? null : Math.min(frames, plan.ceilingFrames) * STEP_MS
}
