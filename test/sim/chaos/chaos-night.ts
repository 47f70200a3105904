import { setMaxListeners } from 'node:events'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import type { Ledger } from '../../../src/admission/ledger/ledger.js'
import type { SessionDemand } from '../../../src/admission/pool/session-pool.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import { isComplete, lanesOfCheckpoint } from '../../../src/pipeline/checkpoint/checkpoint.js'
import { readCheckpoint } from '../../../src/pipeline/checkpoint/read-checkpoint.js'
import { newRecord } from '../../../src/pipeline/lifecycle/record-of-job.js'
import { isOverbooked } from '../watched-store.js'
import type { ChaosEngine } from './chaos-engine.js'
import { putRecording } from './chaos-recording.js'
import { ChaosWorker, type WorkerWorld } from './chaos-worker.js'
import { checkAtRest, checkResults } from './check-chaos.js'
import { Commits } from './commits.js'
import { FrameEngine } from './frame-engine.js'
import { MemoryObjectStore } from './memory-object-store.js'
import { PlanEngine } from './plan-engine.js'
import type { ChaosNight, Mishap } from './random-chaos.js'
import { Redone } from './redone.js'
import { SharedStore } from './shared-store.js'
import { SimulatedProcess } from './simulated-process.js'

/** A new process's monotonic clock begins anywhere within. */
const EPOCH_MAX_MS = 1_000_000_000
const AGING_MS = 1_800_000
/** After the last job so long for whatever stands still in a ledger of the dead to be found. */
const REST_MS = 180_000
const LOOK_MS = 1_000
/**
 * What a store forgot is known to it again after so long: a chain tells it with the next block that
 * it takes, or when it looks for better cuts. Whoever was let in before that may fill the engine.
 */
const KNOWN_AGAIN_MS = 60_000
const NEVER = new AbortController().signal

/** What became of a chaos night. */
export interface ChaosResult {
  faults: string[]
  log: string[]
  jobs: number
  legs: number
  endedMs: number
  /** What happened, by kind, and by how much. */
  counts: Record<string, number>
}

/** Runs one night on a clock of its own. */
export async function runChaosNight(night: ChaosNight, depth: 1 | 2): Promise<ChaosResult> {
  return await new Night(night, depth).run()
}

/** One place for a worker; one process after another runs in it. */
interface Seat {
  process: SimulatedProcess | null
  worker: ChaosWorker | null
}

class Night {
  private readonly night: ChaosNight
  private readonly depth: 1 | 2
  private readonly time = new SimulatedClock()
  private readonly random
  private readonly over = new AbortController()
  private readonly objects: MemoryObjectStore
  private readonly store: SharedStore
  private readonly engines: readonly ChaosEngine[]
  private readonly world: WorkerWorld
  private readonly seats: readonly Seat[]
  private readonly working = new Set<Promise<void>>()
  private readonly commits: Commits
  private readonly redone: Redone
  private readonly processes: SimulatedProcess[] = []
  private readonly flushedMs: number[] = []
  private readonly result: ChaosResult = {
    ...{ faults: [], log: [], jobs: 0, legs: 0, endedMs: 0, counts: {} },
  }
  private readonly deadlocks = new Map<string, number>()
  private born = 0

  constructor(night: ChaosNight, depth: 1 | 2) {
    this.night = night
    this.depth = depth
    setMaxListeners(0, this.over.signal)
    const { time } = this
    this.random = seededRandom(night.seed * 31 + 7)
    this.commits = new Commits({ time, onViolated: (sentence) => this.violated(sentence) })
    this.redone = new Redone({
      ...{ outages: night.outages, jobs: night.jobs, time },
      onViolated: (sentence) => this.violated(sentence),
    })
    this.objects = new MemoryObjectStore({
      clock: time,
      onStored: (key, isNew) => this.commits.stored(key, isNew),
    })
    this.engines = night.engines.map((engine) => this.engineOf(engine))
    this.store = new SharedStore({
      ...{ time, engines: night.engines.map(({ id }) => id), outages: night.outages },
      onWritten: (engine, ledger, nowMs) => this.checkLedger(engine, ledger, nowMs),
    })
    this.world = this.worldOf()
    this.seats = Array.from({ length: night.workers }, () => ({ process: null, worker: null }))
  }

  async run(): Promise<ChaosResult> {
    const night = this.play()
    await this.time.run(night)
    this.result.endedMs = this.time.monotonicMs()
    this.result.counts.redoneMsMax = this.redone.mostMs
    return this.result
  }

  private async play(): Promise<void> {
    const { night, result } = this
    for (const seat of this.seats) this.begin(seat)
    const arriving = night.jobs.map((job) => this.at(job.arrivalMs, () => this.arrive(job.jobId)))
    const befalling = night.mishaps.map((mishap) => {
      return this.at(mishap.atMs, () => this.befall(mishap))
    })
    await this.until(() => this.jobsLeft() === 0, night.untilMs)
    const left = this.jobsLeft()
    if (left > 0) this.violated(`${left} jobs haven't ended`)
    else await this.until(() => false, this.time.monotonicMs() + REST_MS)
    await this.leave()
    this.over.abort(new StopRequested('internal', 'The night is over.'))
    await Promise.all([...arriving, ...befalling])
    const { legs, faults } = checkResults(night, {
      objects: this.objects,
      lossesOf: (jobId) => this.store.line.losses.get(jobId) ?? 0,
      depth: this.depth,
    })
    result.faults.push(...faults)
    result.legs = legs
    result.jobs = night.jobs.length
    if (left === 0) result.faults.push(...(await checkAtRest(this.engines, this.store)))
  }

  private async leave(): Promise<void> {
    // What is frozen goes on at last.
    await this.until(
      () => this.processes.every((process) => process.dead.aborted || !process.isFrozen),
      Number.POSITIVE_INFINITY,
    )
    await Promise.all(this.seats.map((seat) => seat.worker?.drain()))
    await Promise.all(this.working)
  }

  private begin(seat: Seat): void {
    this.born += 1
    const name = `worker-${this.born}`
    const process = new SimulatedProcess(name, this.time, this.random.uniform() * EPOCH_MAX_MS)
    const worker = new ChaosWorker(process, this.world)
    Object.assign(seat, { process, worker })
    this.processes.push(process)
    this.log(`${name} begins`)
    const working = worker.run().catch((error) => {
      this.violated(`${name} has failed: ${error instanceof Error ? error.stack : String(error)}`)
    })
    this.working.add(working)
  }

  private async at(atMs: number, act: () => void | Promise<void>): Promise<void> {
    try {
      await this.time.sleepUntil(atMs, { signal: this.over.signal })
    } catch {
      return // the night was over before
    }
    await act()
  }

  /** Looks every second. */
  private async until(condition: () => boolean, untilMs: number): Promise<void> {
    while (!condition() && this.time.monotonicMs() < untilMs) {
      this.lookForDeadlocks()
      await this.time.sleepUntil(this.time.monotonicMs() + LOOK_MS, { signal: NEVER })
    }
  }

  private lookForDeadlocks(): void {
    for (const { id, deadlocks, openedMs } of this.engines) {
      const known = this.deadlocks.get(id) ?? 0
      this.deadlocks.set(id, deadlocks)
      if (deadlocks <= known) continue
      if (this.isExcused(openedMs)) this.count('deadlock after a flush')
      else this.violated(`${id} stands still, for it is full`)
    }
  }

  private jobsLeft(): number {
    const { night, objects, commits } = this
    return night.jobs.filter(({ jobId }) => {
      const isOver = commits.has(jobId) || objects.keys(`jobs/${jobId}/`).some(isFailure)
      return !isOver
    }).length
  }

  private async arrive(jobId: string): Promise<void> {
    const job = this.night.jobs.find((each) => each.jobId === jobId)
    if (!job) return
    await putRecording(this.objects, job)
    this.log(`${jobId} arrives: ${job.lanes} of ${job.frames} frames at pace ${job.pace}`)
    await this.store.jobStore.create(newRecord(job.document, this.time.wallMs()))
    this.store.line.enqueue(jobId)
  }

  private async befall(mishap: Mishap): Promise<void> {
    this.log(`MISHAP ${JSON.stringify(mishap)}`)
    this.count(mishap.kind)
    const nowMs = this.time.monotonicMs()
    switch (mishap.kind) {
      case 'flush':
        this.flushedMs.push(nowMs)
        await this.store.flush()
        return
      case 'engine-death':
        this.engines[mishap.engine]?.die(mishap.downMs)
        return
      case 'session':
        this.engines[mishap.engine]?.break(mishap.trouble)
        return
      case 'freeze':
      case 'suspend': {
        const isSuspended = mishap.kind === 'suspend'
        this.seats[mishap.worker]?.process?.freeze(nowMs + mishap.durationMs, { isSuspended })
        return
      }
      default:
        await this.replace(this.seats[mishap.worker] as Seat, mishap)
    }
  }

  private async replace(
    seat: Seat,
    { kind, backMs }: Extract<Mishap, { backMs: number }>,
  ): Promise<void> {
    const { process, worker } = seat
    if (process === null || worker === null) return
    Object.assign(seat, { process: null, worker: null })
    if (kind === 'drain') await worker.drain()
    else process.die(kind === 'kill' ? 'killed' : 'vanished')
    this.log(`${process.name} has ended`)
    // Somebody starts it again, also when the night is about to end.
    await this.time.sleepUntil(this.time.monotonicMs() + backMs, { signal: NEVER })
    if (!this.over.signal.aborted) this.begin(seat)
  }

  private engineOf(engine: ChaosNight['engines'][number]): ChaosEngine {
    const { time, random, night } = this
    const world = { time, random, over: this.over.signal, kv: engine.kv }
    const onViolated = (sentence: string) => this.violated(sentence)
    const onSent = (process: SimulatedProcess, lease: LegLease, frame: number) => {
      this.redone.sent(process, lease, frame)
    }
    if (this.depth === 2) return new FrameEngine(engine, { ...world, onViolated, onSent })
    return new PlanEngine(engine, {
      ...{ ...world, trouble: night.trouble, onViolated, onSent },
      wordsOf: (jobId) => night.jobs.find((job) => job.jobId === jobId)?.words ?? [],
      onOverflow: (sentence, openedMs) => {
        if (this.isExcused(openedMs)) this.count('overflow after a flush')
        else this.violated(sentence)
      },
    })
  }

  /**
   * A store that forgot everything lets more in than fits: as long as a session stands that was
   * opened before everybody was known to it again, the engine may be asked for more than it has.
   */
  private isExcused(openedMs: readonly number[]): boolean {
    return this.flushedMs.some((flushedMs) => {
      return openedMs.some((atMs) => atMs < flushedMs + KNOWN_AGAIN_MS)
    })
  }

  private worldOf(): WorkerWorld {
    const { night, objects, random, store, engines } = this
    return {
      ...{ engines, store, objects, random, agingMs: AGING_MS },
      limits: limitsOf(night),
      log: (line) => this.log(line),
      onViolated: (sentence) => this.violated(sentence),
      onAdmitted: (process, demand) => this.admitted(process, demand),
      onOwned: (process, jobId) => this.commits.owned(process, jobId),
      onPut: (process, key) => {
        const { share, mostMs } = night.freezeAtPut
        if (random.uniform() < share) {
          const untilMs = this.time.monotonicMs() + random.uniform() * mostMs
          const isSuspended = random.uniform() < 0.5
          const how = `${isSuspended ? 'with its clock ' : ''}until ${Math.round(untilMs)}`
          this.log(`${process.name} freezes before ${key} ${how}`)
          process.freeze(untilMs, { isSuspended })
        }
        this.commits.putting(process, key)
      },
    }
  }

  private admitted(process: SimulatedProcess, demand: SessionDemand): void {
    const { jobId } = demand
    this.log(`${process.name} ${jobId} is let in with ${demand.lanes.length}`)
    this.commits.admitted(process, jobId, this.objects)
    void this.lanesLeft(jobId).then((lanes) => this.redone.admitted(process, jobId, lanes))
  }

  /** Lanes of which audio is left, by the newest checkpoint. */
  private async lanesLeft(jobId: string): Promise<number[]> {
    const count = this.night.jobs.find((job) => job.jobId === jobId)?.lanes ?? 0
    const checkpoint = await readCheckpoint(this.objects, jobId, { signal: NEVER })
    const known = checkpoint === null ? [] : lanesOfCheckpoint(checkpoint)
    const all = Array.from({ length: count }, (_, lane) => lane)
    return all.filter((lane) => !known[lane] || !isComplete(known[lane]))
  }

  private checkLedger(engine: string, ledger: Ledger, nowMs: number): void {
    const plan = this.night.engines.find(({ id }) => id === engine)?.plan
    if (!plan || !isOverbooked(plan, ledger, nowMs)) return
    const aheadMs = nowMs - this.time.monotonicMs()
    const opened = ledger.chains.flatMap(({ legs }) => {
      return legs.filter(({ open }) => open).map(({ openMs }) => openMs - aheadMs)
    })
    if (this.isExcused(opened)) this.count('overbooked after a flush')
    else this.violated(`the ledger of ${engine} has more open than fits`)
  }

  private count(what: string): void {
    this.result.counts[what] = (this.result.counts[what] ?? 0) + 1
  }

  private violated(sentence: string): void {
    this.log(`VIOLATED ${sentence}`)
    this.result.faults.push(`${Math.round(this.time.monotonicMs())} ms: ${sentence}`)
  }

  private log(line: string): void {
    this.result.log.push(`${Math.round(this.time.monotonicMs())} ${line}`)
  }
}

function isFailure(key: string): boolean {
  return key.endsWith('/failure.json')
}

function limitsOf({ cuts }: ChaosNight): WorkerWorld['limits'] {
  return {
    session: {
      createdTimeoutMs: 10_000,
      stallTimeoutMs: 3_000,
      doneTimeoutMs: 30_000,
      blankSpeechMaxMs: 16_000,
      deltaDelayMs: 0,
    },
    lagMaxMs: 4_000,
    ...{ backoffMs: 500, backoffMaxMs: 30_000, cuts },
    coverage: { holeMinMs: 4_000, rerunShareMax: 0.2 },
    rotationPolicy: 'by seed',
    pricePerHour: null,
    subtitles: {
      ...{ lineCharsMax: 42, linesMax: 2, charsPerSecondMax: 17 },
      ...{ cueMinMs: 1_000, cueMaxMs: 7_000, gapMaxMs: 1_500 },
    },
  }
}
