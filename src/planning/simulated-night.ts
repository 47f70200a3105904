import { setMaxListeners } from 'node:events'
import { carryChain } from '../admission/carry-chain.js'
import { EngineDesk } from '../admission/engine-desk.js'
import { type EnginePlan, frameMsOf } from '../admission/engine-plan.js'
import type { LedgerStore, WaitingList } from '../admission/ledger-store.js'
import type { LegLease } from '../admission/leg-lease.js'
import { type SessionDemand, SessionPool } from '../admission/session-pool.js'
import { type Clock, sleepFor } from '../kernel/clock.js'
import { StopRequested } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import { type LegTrouble, type SimulatedSession, simulateLeg } from './simulated-leg.js'

/** How often a worker looks at line and ledgers. */
const LOOK_INTERVAL_MS = 1_000
/** A leg that fails is carried again after so long. */
const RETRY_MS = 2_000

/** A job of a simulated night. */
export interface NightJob extends SessionDemand {
  /** When it is ready to be carried. */
  arrivalMs: number
}

/** What a simulated night is made of. */
export interface NightOptions {
  engines: readonly { id: string; plan: EnginePlan }[]
  jobs: readonly NightJob[]
  clock: Clock
  random: Random
  store: LedgerStore
  waiting: WaitingList
  trouble: LegTrouble
  /** The engine's own view of a session, for who wants to count what it holds. */
  openSession(lease: LegLease): SimulatedSession
  /** A job has begun, or ended; `onLeg` once a leg is complete. */
  onStart?(jobId: string, atMs: number): void
  onLeg?(
    jobId: string,
    leg: { lane: number; fromFrame: number; endFrame: number; engine: string },
  ): void
  onFinish?(jobId: string, atMs: number): void
  agingMs: number
  signal: AbortSignal
}

/**
 * Lets a night of jobs run through the admission, rotation and ledger of production, on whatever
 * clock it is given. Only audio, sockets and queue are left out.
 */
export async function simulateNight(options: NightOptions): Promise<void> {
  const { clock, random, store, waiting, engines, agingMs } = options
  const desks = engines.map(({ id: engine, plan }) => {
    return new EngineDesk({ engine, store, clock, random, plan, liveBlocks: 0 })
  })
  const pool = new SessionPool({
    ...{ desks, waiting, clock, random, agingMs },
    worker: 'night',
    isUp: () => true,
  })
  const calls = new Calls()
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  setMaxListeners(0, options.signal) // every job of the night listens
  const looking = lookOut(pool, calls, options, signal)
  try {
    await Promise.all(options.jobs.map((job) => runJob(job, pool, calls, options)))
  } finally {
    stop.abort(new StopRequested('internal', 'The night is over.'))
    await looking
  }
}

/** Jobs that sleep until they are called, or until they ask again by themselves. */
class Calls {
  private readonly sleeping = new Map<string, AbortController>()

  call(jobId: string): void {
    this.sleeping.get(jobId)?.abort()
  }

  async wait(jobId: string, clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
    const called = new AbortController()
    this.sleeping.set(jobId, called)
    try {
      await sleepFor(clock, waitMs, { signal: AbortSignal.any([signal, called.signal]) })
    } catch (error) {
      if (!called.signal.aborted) throw error
    } finally {
      this.sleeping.delete(jobId)
    }
  }
}

async function lookOut(
  pool: SessionPool,
  calls: Calls,
  { clock }: NightOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      await sleepFor(clock, LOOK_INTERVAL_MS, { signal })
      for (const jobId of await pool.look({ signal })) calls.call(jobId)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function runJob(
  job: NightJob,
  pool: SessionPool,
  calls: Calls,
  options: NightOptions,
): Promise<void> {
  const { clock, signal, random, trouble } = options
  await clock.sleepUntil(job.arrivalMs, { signal })
  for (;;) {
    const admission = await pool.admit(job, { signal })
    if (admission.kind === 'waiting') {
      await calls.wait(job.jobId, clock, admission.retryAfterMs, signal)
      continue
    }
    options.onStart?.(job.jobId, clock.monotonicMs())
    await Promise.all(
      admission.lanes.map(async (chain, lane) => {
        const frameMs = frameMsOf(job.lanes[lane]?.pace ?? 1)
        await carryChain<void>(chain, {
          runLeg: async (lease, inner) => {
            const session = options.openSession(lease)
            await simulateLeg(lease, { clock, random, trouble, session, frameMs }, inner)
          },
          onFailure: () => RETRY_MS * (0.5 + random.uniform()),
          onLeg: ({ stretch: { fromFrame, endFrame }, engine }) =>
            options.onLeg?.(job.jobId, { lane, fromFrame, endFrame, engine }),
          signal,
        })
      }),
    )
    options.onFinish?.(job.jobId, clock.monotonicMs())
    return
  }
}
