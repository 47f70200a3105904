import { HEARTBEAT_TTL_MS, type LedgerStore } from '../../src/admission/index.js'
import type { LegLease } from '../../src/admission/lane/leg-lease.js'
import { planOfPart } from '../../src/admission/ledger/engine-limits.js'
import { EMPTY_LEDGER, type Ledger } from '../../src/admission/ledger/ledger.js'
import { withoutWorkers } from '../../src/admission/ledger/ledger-changes.js'
import { type EnginePlan, frameMsOf } from '../../src/admission/load/engine-plan.js'
import { MemoryLedgerStore } from '../../src/admission/store/memory-ledger-store.js'
import { MemoryWaitingList } from '../../src/admission/store/memory-waiting-list.js'
import { type Clock, sleepFor } from '../../src/kernel/clock.js'
import { StopRequested } from '../../src/kernel/errors.js'
import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { SimulatedClock } from '../../src/kernel/simulated-clock.js'
import type { LegTrouble, SimulatedSession } from '../../src/planning/simulated-leg.js'
import {
  type NightJob,
  type NightOptions,
  type NightWorker,
  simulateNight,
} from '../../src/planning/simulated-night.js'
import { EngineTruth } from './engine-truth.js'
import { type Hang, HangingClock } from './hanging-clock.js'
import { type Outage, WatchedStore } from './watched-store.js'

/** Nothing goes wrong; the last steps take a third of a second. */
export const NO_TROUBLE: LegTrouble = {
  failShare: 0,
  slipShare: 0,
  slipMaxMs: 0,
  tailMaxMs: 300,
  lateCloseShare: 0,
  lateCloseMaxMs: 0,
}

/** A leg as it was carried. */
export interface LegRecord {
  jobId: string
  lane: number
  fromFrame: number
  endFrame: number
  engine: string
  atMs: number
}

/** An engine of a night. */
export interface NightEngine {
  id: string
  plan: EnginePlan
  /** Blocks that its sessions may hold at a time. */
  capacity: number
  baseMs: number
  /** Kept for live sessions, 0 to 1; left out: none. */
  liveShare?: number
}

/** What befalls a worker. */
export interface WorkerFate {
  /** Killed then: its sessions end at once, and nobody gives back what it leased. */
  killedMs: number | null
  hangs: readonly Hang[]
}

/** How a night is run. */
export interface NightRun {
  seed: number
  engines: readonly NightEngine[]
  jobs: readonly NightJob[]
  trouble?: LegTrouble
  /** One a worker; left out: one worker whom nothing befalls. */
  fates?: readonly WorkerFate[]
  outages?: readonly Outage[]
  agingMs?: number
  /** Ends the night then, whatever still runs; for what never ends by itself. */
  untilMs?: number
  /** Goes on beside the night on its clock, until it is over; such as people who speak. */
  beside?(clock: SimulatedClock, options: { signal: AbortSignal }): Promise<void>
  /** Carries legs by other means, on the clock of the night. */
  carrier?(clock: SimulatedClock, random: Random): LegCarrier
}

/** See `NightOptions.carryLeg`. */
export type LegCarrier = NonNullable<NightOptions['carryLeg']>

/** What a simulated night gave. */
export interface NightResult {
  /** Of the tries that ended well, or are going on. */
  legs: LegRecord[]
  /** Of the first try of each job. */
  startedMs: Map<string, number>
  finishedMs: Map<string, number>
  refused: Set<string>
  truths: EngineTruth[]
  /** Lines that two runs of one seed must share. */
  log: string[]
  /** What must never happen, with its time. */
  violations: string[]
  endedMs: number
  /** The last one of those that had the most chains. */
  fullest: Ledger
}

const NEVER = new AbortController().signal

/** Runs one night on a clock of its own. */
export async function runNight(run: NightRun): Promise<NightResult> {
  return await new Night(run).run()
}

class Night {
  private readonly options: NightRun
  private readonly clock = new SimulatedClock()
  private readonly random
  private readonly store: LedgerStore
  private readonly stop = new AbortController()
  private readonly result: NightResult
  private readonly parts = new Map<string, EngineTruth>()

  constructor(run: NightRun) {
    this.options = run
    this.random = seededRandom(run.seed)
    this.store = new MemoryLedgerStore({ clock: this.clock })
    const truths = run.engines.map(({ id, plan, capacity, baseMs }) => {
      const engine = { plan, blocksMax: Math.min(capacity, plan.limits.kvBlocks), baseMs }
      return new EngineTruth(engine, (sentence) => this.violated(`${id}: ${sentence}`))
    })
    for (const engine of run.engines) this.addParts(engine)
    this.result = {
      legs: [],
      startedMs: new Map(),
      finishedMs: new Map(),
      refused: new Set(),
      truths,
      log: [],
      violations: [],
      endedMs: 0,
      fullest: EMPTY_LEDGER,
    }
  }

  /** What recordings and live sessions hold of an engine, each against its own part. */
  private addParts({ id, plan, baseMs, liveShare = 0 }: NightEngine): void {
    if (liveShare === 0) return
    for (const live of [true, false]) {
      const { limits } = planOfPart(plan, plan, { liveShare, live })
      const engine = { plan: { ...plan, limits }, blocksMax: limits.kvBlocks, baseMs }
      const name = `${id}, ${live ? 'live sessions' : 'recordings'}`
      this.parts.set(
        `${id} ${live}`,
        new EngineTruth(engine, (sentence) => this.violated(`${name}: ${sentence}`)),
      )
    }
  }

  async run(): Promise<NightResult> {
    const { clock, stop, options } = this
    const fates = options.fates ?? [{ killedMs: null, hangs: [] }]
    const working = new AbortController()
    const workers = fates.map((fate, at) => this.worker(`worker-${at}`, fate, working.signal))
    const beside = options.beside?.(clock, { signal: working.signal })
    const night = this.simulate(workers).finally(() => working.abort())
    beside?.catch((error) => this.violated(`what goes on beside the night has failed: ${error}`))
    const { untilMs } = options
    if (untilMs === undefined) {
      await clock.run(night)
    } else {
      const over = new StopRequested('internal', 'The time of the simulation is over.')
      const until = clock
        .sleepUntil(untilMs, { signal: working.signal })
        .then(() => stop.abort(over))
        .catch(() => {}) // the night was over before
      await clock.run(Promise.all([until, night.catch((error) => stopIs(error, over))]))
    }
    this.result.endedMs = clock.monotonicMs()
    await this.checkRest()
    return this.result
  }

  private async simulate(workers: readonly NightWorker[]): Promise<void> {
    const { clock, random, store, options, result } = this
    const { engines, jobs, trouble = NO_TROUBLE, agingMs = 1_800_000 } = options
    await simulateNight({
      ...{ engines, jobs, clock, random, store, trouble, workers, agingMs },
      waiting: new MemoryWaitingList({ clock }),
      ...(options.carrier ? { carryLeg: options.carrier(clock, random) } : {}),
      openSession: (lease) => this.openSession(lease),
      onStart: (jobId, atMs) => {
        if (!result.startedMs.has(jobId)) result.startedMs.set(jobId, atMs)
        result.legs = result.legs.filter((leg) => leg.jobId !== jobId)
        this.log(`start ${jobId}`)
      },
      onLeg: (jobId, leg) => {
        result.legs.push({ jobId, ...leg, atMs: clock.monotonicMs() })
        this.log(`leg ${jobId}/${leg.lane} ${leg.fromFrame}-${leg.endFrame} on ${leg.engine}`)
      },
      onFinish: (jobId, atMs) => {
        if (result.finishedMs.has(jobId)) this.violated(`${jobId} has ended twice`)
        result.finishedMs.set(jobId, atMs)
        this.log(`finish ${jobId}`)
      },
      onRefuse: (jobId, sentence) => {
        result.refused.add(jobId)
        this.log(`refuse ${jobId}: ${sentence}`)
      },
      signal: this.stop.signal,
    })
  }

  private worker(name: string, { killedMs, hangs }: WorkerFate, over: AbortSignal): NightWorker {
    const { engines, outages = [] } = this.options
    const dying = new AbortController()
    const clock = hangs.length > 0 ? new HangingClock(this.clock, hangs) : this.clock
    const plans = new Map(engines.map(({ id, plan }) => [id, plan]))
    const onOverbooked = (sentence: string) => this.violated(sentence)
    const onWritten = (ledger: Ledger) => {
      if (ledger.chains.length >= this.result.fullest.chains.length) this.result.fullest = ledger
    }
    const killed = dying.signal
    const parts = {
      store: this.store,
      clock: this.clock,
      plans,
      outages,
      killed,
      onOverbooked,
      onWritten,
    }
    if (killedMs !== null) this.killLater(name, dying, killedMs, over)
    return { name, clock, store: new WatchedStore(parts), killed }
  }

  private killLater(
    name: string,
    dying: AbortController,
    killedMs: number,
    over: AbortSignal,
  ): void {
    const kill = async (clock: Clock) => {
      await clock.sleepUntil(killedMs, { signal: over })
      this.log(`killed ${name}`)
      dying.abort(new StopRequested('internal', `${name} was killed.`))
      await sleepFor(clock, HEARTBEAT_TTL_MS, { signal: over })
      await this.reclaim(name)
    }
    kill(this.clock).catch(() => {}) // the night was over before
  }

  private async reclaim(name: string): Promise<void> {
    this.log(`reclaimed ${name}`)
    for (const { id } of this.options.engines) {
      const { ledger, revision } = await this.store.read(id, { signal: NEVER })
      const next = withoutWorkers(ledger, new Set([name]))
      await this.store.write(id, next, { revision, signal: NEVER })
    }
  }

  private openSession(lease: LegLease): SimulatedSession {
    const { engines, jobs } = this.options
    const at = engines.findIndex(({ id }) => id === lease.client.engine)
    const truth = this.result.truths[at] as EngineTruth
    const session = truth.open()
    const sessionsMax = engines[at]?.plan.limits.sessions ?? 0
    if (truth.openSessions > sessionsMax) this.violated(`${truth.openSessions} sessions are open`)
    const [jobId, lane] = lease.chainId.split('/')
    const job = jobs.find((each) => each.jobId === jobId)
    const frameMs = frameMsOf(job?.lanes[Number(lane)]?.pace ?? 1)
    const part = this.parts.get(`${lease.client.engine} ${job?.live ?? false}`)?.open()
    return {
      finished: (frames) => {
        part?.finished(frames)
        session.finished(frames)
      },
      closed: () => {
        part?.closed()
        session.closed()
      },
      heard: (frames) => {
        part?.heard(frames)
        const dueMs = lease.startMs + (frames - 1) * frameMs
        if (this.clock.monotonicMs() < dueMs - 1e-6) this.violated(`${lease.chainId} is early`)
        session.heard(frames)
      },
    }
  }

  /** At rest nothing is held, by whatever view. */
  private async checkRest(): Promise<void> {
    if (this.options.untilMs !== undefined && this.stop.signal.aborted) return
    for (const [at, { id }] of this.options.engines.entries()) {
      const truth = this.result.truths[at]
      if (truth?.holding || truth?.openSessions) this.violated(`${id} holds something at rest`)
      const { ledger } = await this.store.read(id, { signal: NEVER })
      const living = ledger.chains.filter(({ worker }) => !this.isDead(worker))
      if (living.length > 0) this.violated(`the ledger of ${id} holds something at rest`)
    }
  }

  private isDead(worker: string): boolean {
    const fate = this.options.fates?.[Number(worker.split('-')[1])]
    return fate?.killedMs != null && fate.killedMs <= this.result.endedMs
  }

  private violated(sentence: string): void {
    this.log(`VIOLATED ${sentence}`)
    this.result.violations.push(`${Math.round(this.clock.monotonicMs())} ms: ${sentence}`)
  }

  private log(line: string): void {
    this.result.log.push(`${Math.round(this.clock.monotonicMs())} ${line}`)
  }
}

function stopIs(error: unknown, expected: StopRequested): void {
  if (error !== expected) throw error
}
