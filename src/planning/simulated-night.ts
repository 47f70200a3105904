import { setMaxListeners } from 'node:events'
import type { LedgerStore, WaitingList } from '../admission/index.js'
import type { LaneChain } from '../admission/lane/lane-chain.js'
import type { LegLease } from '../admission/lane/leg-lease.js'
import { runLane } from '../admission/lane/run-lane.js'
import { LedgerClient } from '../admission/ledger/ledger-client.js'
import { type EnginePlan, frameMsOf } from '../admission/load/engine-plan.js'
import { type SessionDemand, SessionPool } from '../admission/pool/session-pool.js'
import { eitherSignal } from '../kernel/abort.js'
import { allOrNone } from '../kernel/all-or-none.js'
import { type Clock, sleepFor } from '../kernel/clock.js'
import {
  InputError,
  isStop,
  NightscribeError,
  StopRequested,
  UpstreamError,
} from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import {
  type LegTrouble,
  SimulatedFailure,
  type SimulatedSession,
  simulateLeg,
} from './simulated-leg.js'

/** How often a worker checks queue and ledgers for jobs that are due. */
const LOOK_INTERVAL_MS = 1_000
/** A leg that fails is tried again after 1 to 3 s: this, times 0.5 to 1.5 at random. */
const RETRY_MS = 2_000
/** A job whose worker died or lost the store is taken by another worker after 15 to 45 s. */
const RETAKE_MS = 30_000

/** A job of a simulated night. */
export interface NightJob extends SessionDemand {
  /** When the job is ready to run, by the night's clock. */
  arrivalMs: number
}

/** One worker process of a simulated night. */
export interface NightWorker {
  name: string
  /** The night's clock, or one that stops while the worker hangs. */
  clock: Clock
  store: LedgerStore
  /** Aborts with a StopRequested when the worker is killed; a store of a dead worker must throw. */
  killed: AbortSignal
}

/** How a leg is run. */
export interface LegRunner {
  /** Multiple of real time; 0 for as fast as the engine goes. */
  pace: number
  clock: Clock
  signal: AbortSignal
}

/** Engines, jobs, workers and stores of a simulated night, and who learns of its events. */
export interface NightOptions {
  /** `liveShare`: the share kept for live sessions, 0 to 1; left out: 0. */
  engines: readonly { id: string; plan: EnginePlan; liveShare?: number }[]
  jobs: readonly NightJob[]
  clock: Clock
  random: Random
  store: LedgerStore
  waiting: WaitingList
  trouble: LegTrouble
  /** Left out: one worker, which lives all night. */
  workers?: readonly NightWorker[]
  /** The engine's own view of a session, for a caller that counts what sessions hold. */
  openSession(lease: LegLease): SimulatedSession
  /** Runs a leg in another way than `simulateLeg`, such as frame by frame. */
  carryLeg?(lease: LegLease, leg: LegRunner): Promise<void>
  /** A job has begun; `onFinish`: it has ended; `onLeg`: one of its legs is complete. */
  onStart?(jobId: string, atMs: number): void
  onLeg?(
    jobId: string,
    leg: { lane: number; fromFrame: number; endFrame: number; engine: string },
  ): void
  onFinish?(jobId: string, atMs: number): void
  /** No engine ever has room for a job; left out: such a job ends the night with its InputError. */
  onRefuse?(jobId: string, sentence: string): void
  agingMs: number
  signal: AbortSignal
}

/**
 * Runs a night of jobs through the admission, rotation and ledger of production, on the clock that
 * it is given. Only audio, sockets and the job queue are left out.
 */
export async function simulateNight(options: NightOptions): Promise<void> {
  const { clock, store, signal } = options
  const stop = new AbortController()
  setMaxListeners(0, signal) // every job listens: Node would warn of a leak
  const alone = { name: 'night', clock, store, killed: new AbortController().signal }
  const workers = (options.workers ?? [alone]).map((worker) => new Worker(worker, options))
  const calls = new Calls()
  const over = AbortSignal.any([signal, stop.signal])
  const looking = Promise.all(workers.map((worker) => lookOut(worker, calls, over)))
  try {
    await Promise.all(options.jobs.map((job) => runJob(job, workers, calls, options)))
  } finally {
    stop.abort(new StopRequested('internal', 'The night is over.'))
    await looking
  }
}

/** A worker process, with its own ledger clients and its own session pool. */
class Worker {
  readonly clock: Clock
  readonly killed: AbortSignal
  readonly pool: SessionPool

  constructor({ name, clock, store, killed }: NightWorker, options: NightOptions) {
    const { engines, random, waiting, agingMs } = options
    this.clock = clock
    this.killed = killed
    setMaxListeners(0, killed)
    const clients = engines.map(({ id: engine, plan, liveShare = 0 }) => {
      return new LedgerClient({ engine, store, clock, random, plan, liveShare })
    })
    const isUp = () => true
    this.pool = new SessionPool({ clients, waiting, clock, random, agingMs, worker: name, isUp })
  }
}

/** Jobs that wait until the pool calls them, or until their time to ask again has come. */
class Calls {
  private readonly sleeping = new Map<string, AbortController>()

  call(jobId: string): void {
    this.sleeping.get(jobId)?.abort()
  }

  async wait(jobId: string, clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
    const called = new AbortController()
    this.sleeping.set(jobId, called)
    using either = eitherSignal(signal, called.signal)
    try {
      await sleepFor(clock, waitMs, either)
    } catch (error) {
      if (!called.signal.aborted || signal.aborted) throw error
    } finally {
      this.sleeping.delete(jobId)
    }
  }
}

async function lookOut(worker: Worker, calls: Calls, over: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([over, worker.killed])
  while (!signal.aborted) {
    try {
      await sleepFor(worker.clock, LOOK_INTERVAL_MS, { signal })
      for (const jobId of await worker.pool.dueWaiters({ signal })) calls.call(jobId)
    } catch (error) {
      if (!signal.aborted && !(error instanceof UpstreamError)) throw error
    }
  }
}

async function runJob(
  job: NightJob,
  workers: readonly Worker[],
  calls: Calls,
  options: NightOptions,
): Promise<void> {
  const { clock, signal, random } = options
  await clock.sleepUntil(job.arrivalMs, { signal })
  for (;;) {
    const living = workers.filter(({ killed }) => !killed.aborted)
    const chosen = living.length > 1 ? Math.floor(random.uniform() * living.length) : 0
    const worker = living[chosen]
    if (worker === undefined) throw new Error('No worker is left to end the night.')
    try {
      const waitMs = await tryJob(job, worker, options)
      if (waitMs === null) return
      await calls.wait(job.jobId, clock, waitMs, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof InputError && options.onRefuse) {
        options.onRefuse(job.jobId, error.message)
        return
      }
      const isLost = isStop(error) && worker.killed.aborted
      if (!isLost && !(error instanceof UpstreamError)) throw error
      await sleepFor(clock, RETAKE_MS * (0.5 + random.uniform()), { signal })
    }
  }
}

/** Has a worker run a job. @returns null once it is done, or how many ms it is to wait */
async function tryJob(
  job: NightJob,
  worker: Worker,
  options: NightOptions,
): Promise<number | null> {
  using either = eitherSignal(options.signal, worker.killed)
  const { signal } = either
  const admission = await worker.pool.admit(job, { signal })
  if (admission.kind === 'waiting') return admission.retryAfterMs
  const { clock } = worker
  options.onStart?.(job.jobId, clock.monotonicMs())
  const carrying = admission.lanes.map((chain, lane) => (inner: AbortSignal) => {
    return replayLane(chain, { job, lane, clock }, options, inner)
  })
  await allOrNone(signal, carrying)
  options.onFinish?.(job.jobId, clock.monotonicMs())
  return null
}

async function replayLane(
  chain: LaneChain,
  { job, lane, clock }: { job: NightJob; lane: number; clock: Clock },
  options: NightOptions,
  signal: AbortSignal,
): Promise<void> {
  const { random } = options
  const pace = job.lanes[lane]?.pace ?? 1
  await runLane<void>(chain, {
    runLeg: (lease, inner) => runLeg(lease, { pace, clock, signal: inner.signal }, options),
    onFailure: (error) => {
      const mayHelp = error instanceof NightscribeError && error.retryable
      if (!(error instanceof SimulatedFailure) && !mayHelp) throw error
      return { delayMs: RETRY_MS * (0.5 + random.uniform()), orFewerLeases: false }
    },
    onLeg: ({ segment: { fromFrame, endFrame }, engine }) =>
      options.onLeg?.(job.jobId, { lane, fromFrame, endFrame, engine }),
    signal,
  })
}

async function runLeg(lease: LegLease, by: LegRunner, options: NightOptions): Promise<void> {
  if (options.carryLeg) {
    await options.carryLeg(lease, by)
    return
  }
  const { random, trouble } = options
  const session = options.openSession(lease)
  const parts = { clock: by.clock, random, trouble, session, frameMs: frameMsOf(by.pace) }
  await simulateLeg(lease, parts, { signal: by.signal })
}
