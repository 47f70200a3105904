import type {
  EngineActivityStore,
  LedgerStore,
  WaitingList,
  WorkerHeartbeats,
} from '../../../src/admission/index.js'
import { EMPTY_LEDGER, type Ledger } from '../../../src/admission/ledger/ledger.js'
import { MemoryLedgerStore } from '../../../src/admission/store/memory-ledger-store.js'
import { MemoryWaitingList } from '../../../src/admission/store/memory-waiting-list.js'
import type { Clock } from '../../../src/kernel/clock.js'
import { UpstreamError } from '../../../src/kernel/errors.js'
import type { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import type { JobStore } from '../../../src/queue/index.js'
import { MemoryEngineActivity } from '../../fakes/memory-engine-activity.js'
import { MemoryWorkerHeartbeats } from '../../fakes/memory-worker-heartbeats.js'
import type { Outage } from '../watched-store.js'
import { JobLine } from './job-line.js'
import { MemoryJobStore } from './memory-job-store.js'
import type { SimulatedProcess } from './simulated-process.js'

/** Its clock is so far ahead: who takes one clock for another is hours wrong. */
const AHEAD_MS = 5_000_000_000
/** A client waits so long for an answer; what it has asked may still happen. */
const ANSWER_TIMEOUT_MS = 5_000
const NEVER = new AbortController().signal

/** How a process gets at it. */
export interface StoreView {
  ledgers: LedgerStore
  heartbeats: WorkerHeartbeats
  activities: EngineActivityStore
  waiting: WaitingList
  jobStore: JobStore
  /** Asks the queue, which waits for as long as it takes. */
  askLine<T>(call: (line: JobLine) => Promise<T>): Promise<T>
}

type Ask = <T>(call: () => Promise<T>, signal?: AbortSignal) => Promise<T>

/** What stands in Redis: away for a while now and then, and once in a while it forgets all. */
export class SharedStore {
  private readonly time: SimulatedClock
  private readonly engines: readonly string[]
  private readonly outages: readonly Outage[]
  private readonly onWritten: (engine: string, ledger: Ledger, nowMs: number) => void
  private readonly clock: Clock
  readonly line: JobLine
  readonly ledgers: MemoryLedgerStore
  jobStore: MemoryJobStore
  waiting: MemoryWaitingList
  private heartbeats: MemoryWorkerHeartbeats
  private activities: MemoryEngineActivity

  constructor(parts: {
    time: SimulatedClock
    engines: readonly string[]
    outages: readonly Outage[]
    /** After every write of a ledger; the time is the store's. */
    onWritten(engine: string, ledger: Ledger, nowMs: number): void
  }) {
    const { time } = parts
    this.time = time
    this.engines = parts.engines
    this.outages = parts.outages
    this.onWritten = parts.onWritten
    this.clock = {
      monotonicMs: () => time.monotonicMs(),
      wallMs: () => time.wallMs() + AHEAD_MS,
      sleepUntil: (dueMs, options) => time.sleepUntil(dueMs, options),
    }
    this.line = new JobLine({ clock: time })
    this.ledgers = new MemoryLedgerStore({ clock: this.clock })
    this.jobStore = new MemoryJobStore({ clock: time })
    this.waiting = new MemoryWaitingList({ clock: this.clock })
    this.heartbeats = new MemoryWorkerHeartbeats({ clock: this.clock })
    this.activities = new MemoryEngineActivity({ clock: this.clock })
  }

  get isOut(): boolean {
    return this.outage !== undefined
  }

  /** It forgets everything. */
  async flush(): Promise<void> {
    for (const engine of this.engines) {
      const { revision } = await this.ledgers.read(engine, { signal: NEVER })
      await this.ledgers.write(engine, EMPTY_LEDGER, { revision, signal: NEVER })
    }
    const { clock } = this
    this.line.clear()
    this.jobStore = new MemoryJobStore({ clock: this.time })
    this.waiting = new MemoryWaitingList({ clock })
    this.heartbeats = new MemoryWorkerHeartbeats({ clock })
    this.activities = new MemoryEngineActivity({ clock })
  }

  viewOf(process: SimulatedProcess): StoreView {
    const ask: Ask = (call, signal) => this.ask(process, call, signal)
    return {
      ledgers: this.ledgersOf(ask),
      heartbeats: {
        beat: (worker, options) => ask(() => this.heartbeats.beat(worker, options), options.signal),
        ages: (workers, options) =>
          ask(() => this.heartbeats.ages(workers, options), options.signal),
        deregister: (worker, options) =>
          ask(() => this.heartbeats.deregister(worker, options), options.signal),
      },
      activities: this.activitiesOf(ask),
      waiting: {
        put: (waiter, options) => ask(() => this.waiting.put(waiter, options), options.signal),
        remove: (jobId, options) => ask(() => this.waiting.remove(jobId, options), options.signal),
        list: (options) => ask(() => this.waiting.list(options), options.signal),
      },
      jobStore: this.boardOf(ask),
      askLine: async (call) => {
        await this.back(process)
        return await process.through(() => call(this.line))
      },
    }
  }

  private get outage(): Outage | undefined {
    const nowMs = this.time.monotonicMs()
    return this.outages.find(({ fromMs, untilMs }) => nowMs >= fromMs && nowMs < untilMs)
  }

  /** Until it answers again. */
  private async back(process: SimulatedProcess): Promise<void> {
    await process.awake()
    for (let { outage } = this; outage; outage = this.outage) {
      await this.time.sleepUntil(outage.untilMs, { signal: process.dead })
      await process.awake()
    }
  }

  /** A client keeps what it was asked until there is a connection, longer than its caller waits. */
  private async ask<T>(
    process: SimulatedProcess,
    call: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    await process.awake()
    if (!this.isOut) return await process.through(call)
    const answered = this.back(process).then(call)
    answered.catch(() => {}) // told below, if anybody waits for it still
    const { clock } = process
    const answer = new AbortController()
    const either = signal ? AbortSignal.any([signal, answer.signal]) : answer.signal
    const late = clock
      .sleepUntil(clock.monotonicMs() + ANSWER_TIMEOUT_MS, { signal: either })
      .then(() => {
        throw new UpstreamError('queue_unavailable', 'The store has not answered in time.')
      })
    try {
      return await Promise.race([answered, late])
    } finally {
      answer.abort()
      late.catch(() => {}) // the answer came
      await process.awake()
    }
  }

  private ledgersOf(ask: Ask): LedgerStore {
    return {
      read: (engine, options) => ask(() => this.ledgers.read(engine, options), options.signal),
      write: (engine, ledger, options) => {
        const write = async () => {
          const written = await this.ledgers.write(engine, ledger, options)
          if (written !== null) this.onWritten(engine, ledger, this.clock.wallMs())
          return written
        }
        return ask(write, options.signal)
      },
    }
  }

  private activitiesOf(ask: Ask): EngineActivityStore {
    return {
      publish: (engine, activity, options) =>
        ask(() => this.activities.publish(engine, activity, options), options.signal),
      list: (engine, options) => ask(() => this.activities.list(engine, options), options.signal),
      tryLock: (engine, purpose, options) =>
        ask(() => this.activities.tryLock(engine, purpose, options), options.signal),
      requestEviction: (engine, chain, options) =>
        ask(() => this.activities.requestEviction(engine, chain, options), options.signal),
      takeEvictionRequests: (engine, worker, options) =>
        ask(() => this.activities.takeEvictionRequests(engine, worker, options), options.signal),
    }
  }

  private boardOf(ask: Ask): JobStore {
    return {
      create: (record) => ask(() => this.jobStore.create(record)),
      update: (jobId, changes, options) =>
        ask(() => this.jobStore.update(jobId, changes, options), options.signal),
      get: (jobId) => ask(() => this.jobStore.get(jobId)),
      openIds: () => this.jobStore.openIds(),
      list: () => ask(() => this.jobStore.list()),
      appendHistory: (jobId, entry) => ask(() => this.jobStore.appendHistory(jobId, entry)),
      history: () => ask(() => this.jobStore.history()),
      publish: () => ask(() => this.jobStore.publish()),
      events: () => ask(() => this.jobStore.events()),
      requestCancel: () => ask(() => this.jobStore.requestCancel()),
      onCancel: () => ask(() => this.jobStore.onCancel()),
      nextFence: (jobId, floor) => ask(() => this.jobStore.nextFence(jobId, floor)),
    }
  }
}
