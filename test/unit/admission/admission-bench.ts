import { setMaxListeners } from 'node:events'
import type { LedgerReading, LedgerStore } from '../../../src/admission/index.js'
import type { LaneChainOptions } from '../../../src/admission/lane/lane-chain.js'
import { LaneChain } from '../../../src/admission/lane/lane-chain.js'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import { type Chain, EMPTY_LEDGER, type Ledger } from '../../../src/admission/ledger/ledger.js'
import { withChain, withoutChain } from '../../../src/admission/ledger/ledger-changes.js'
import { LedgerClient } from '../../../src/admission/ledger/ledger-client.js'
import type { CutOption } from '../../../src/admission/legs/cut-option.js'
import type { EnginePlan } from '../../../src/admission/load/engine-plan.js'
import {
  type Admission,
  type SessionDemand,
  SessionPool,
} from '../../../src/admission/pool/session-pool.js'
import { MemoryLedgerStore } from '../../../src/admission/store/memory-ledger-store.js'
import { MemoryWaitingList } from '../../../src/admission/store/memory-waiting-list.js'
import { type Clock, sleepFor } from '../../../src/kernel/clock.js'
import { UpstreamError } from '../../../src/kernel/errors.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import { simulateLeg } from '../../../src/planning/simulated-leg.js'
import { NO_TROUBLE } from '../../sim/night-run.js'

/** A signal that nobody aborts. */
export const { signal } = new AbortController()
setMaxListeners(0, signal)

/** The store's clock is so far ahead: who takes one for the other is hours wrong. */
const STORE_AHEAD_MS = 50_000_000
const AGING_MS = 600_000

/** A worker process: its own copies of the ledgers, its own pool. */
export interface BenchWorker {
  pool: SessionPool
  /** By the engine's name. */
  clients: Record<string, LedgerClient>
  /** Engines that this worker takes for out. */
  out: Set<string>
  admit(demand: SessionDemand): Promise<Admission>
  /** Lanes of a job that must be let in. */
  lanesOf(demand: SessionDemand): Promise<LaneChain[]>
}

/** Engines that several workers share, with their ledgers and the line before them. */
export class AdmissionBench {
  readonly clock = new SimulatedClock(5_000)
  readonly waiting: MemoryWaitingList
  /** Until then the store doesn't answer; by the workers' clock. */
  storeOutUntilMs = 0
  /** Called before every write, as when somebody else is quicker. */
  beforeWrite: (engine: string) => Promise<void> = async () => {}
  private readonly store: MemoryLedgerStore
  private readonly plans: Readonly<Record<string, EnginePlan>>
  private readonly liveShare: number

  constructor(plans: Readonly<Record<string, EnginePlan>>, { liveShare = 0 } = {}) {
    const { clock } = this
    const storeClock: Clock = {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs() + STORE_AHEAD_MS,
      sleepUntil: (dueMs, options) => clock.sleepUntil(dueMs, options),
    }
    this.plans = plans
    this.liveShare = liveShare
    this.store = new MemoryLedgerStore({ clock: storeClock })
    this.waiting = new MemoryWaitingList({ clock: storeClock })
  }

  /** The store's time. */
  get nowMs(): number {
    return this.clock.wallMs() + STORE_AHEAD_MS
  }

  worker(name: string): BenchWorker {
    const { clock, waiting, store } = this
    const random = seededRandom(1)
    const ledgers: LedgerStore = {
      read: async (engine, options) => await this.answer(() => store.read(engine, options)),
      write: async (engine, ledger, options) => {
        await this.beforeWrite(engine)
        return await this.answer(() => store.write(engine, ledger, options))
      },
    }
    const all = Object.entries(this.plans).map(([engine, plan]) => {
      return new LedgerClient({
        engine,
        store: ledgers,
        clock,
        random,
        plan,
        liveShare: this.liveShare,
      })
    })
    const out = new Set<string>()
    const isUp = ({ engine }: LedgerClient) => !out.has(engine)
    const parts = { waiting, clock, random, agingMs: AGING_MS, worker: name, isUp }
    const pool = new SessionPool({ clients: all, ...parts })
    const admit = async (demand: SessionDemand) => await pool.admit(demand, { signal })
    const lanesOf = async (demand: SessionDemand) => {
      const admission = await admit(demand)
      if (admission.kind === 'admitted') return admission.lanes
      throw new Error(`${demand.jobId} waits for ${admission.reason}.`)
    }
    const clients = Object.fromEntries(all.map((client) => [client.engine, client]))
    return { pool, clients, out, admit, lanesOf }
  }

  /** A chain by itself, that no pool has let in. */
  chain(
    client: LedgerClient,
    changes: Partial<LaneChainOptions> & Pick<LaneChainOptions, 'cuts'>,
  ): LaneChain {
    const options: LaneChainOptions = {
      ...{ chainId: 'job/0', worker: 'one', pace: 1, live: false },
      ...{ clock: this.clock, random: seededRandom(1) },
      waitingLanes: () => 0,
      chooseEngine: (current) => current,
      ...changes,
    }
    return new LaneChain(options, { client, fromFrame: 0, admitted: null })
  }

  async pass(durationMs: number): Promise<void> {
    await this.clock.run(sleepFor(this.clock, durationMs, { signal }))
  }

  async read(engine: string): Promise<Ledger> {
    return (await this.store.read(engine, { signal })).ledger
  }

  /** Writes as another worker does, past all that could go wrong. */
  async write(engine: string, change: (ledger: Ledger) => Ledger): Promise<void> {
    const { ledger, revision }: LedgerReading = await this.store.read(engine, { signal })
    const written = await this.store.write(engine, change(ledger), { revision, signal })
    if (written === null) throw new Error('Somebody else has written.')
  }

  async put(engine: string, chain: Chain): Promise<void> {
    await this.write(engine, (ledger) => withChain(ledger, chain))
  }

  async takeOut(engine: string, chainId: string): Promise<void> {
    await this.write(engine, (ledger) => withoutChain(ledger, chainId))
  }

  /** The store has lost what it knew. */
  async flush(engine: string): Promise<void> {
    await this.write(engine, () => EMPTY_LEDGER)
  }

  /** A chain of another worker with one leg, of 20 s that begin just now. */
  foreign(id: string, changes: Partial<Chain> & { frames?: number; ageMs?: number } = {}): Chain {
    const { frames = 250, ageMs = 0, ...rest } = changes
    const startMs = this.nowMs - ageMs
    const leg = { index: 0, open: true, openMs: startMs - 1_000, startMs, frames }
    return {
      ...{ id, worker: 'other', pace: 1, live: false, restFrames: 0, parkedSinceMs: null },
      legs: [{ ...leg, behindMs: 0, stoppedFrame: null }],
      ...rest,
    }
  }

  /** Sends a leg as a real sender does, and closes it. */
  async carry(lease: LegLease, frameMs = 80): Promise<void> {
    const session = { heard: () => {}, finished: () => {}, closed: () => {} }
    const { clock } = this
    const parts = { clock, random: seededRandom(1), trouble: NO_TROUBLE, session, frameMs }
    await simulateLeg(lease, parts, { signal })
    await lease.close({ signal })
  }

  private async answer<T>(ask: () => Promise<T>): Promise<T> {
    if (this.clock.monotonicMs() >= this.storeOutUntilMs) return await ask()
    throw new UpstreamError('queue_unavailable', 'The store is out.', { effect: 'none' })
  }
}

/** So many frames with a pause every so many, and an end. */
export function pausesEvery(frames: number, everyFrames: number): CutOption[] {
  const cuts: CutOption[] = []
  for (let at = everyFrames; at < frames; at += everyFrames) {
    cuts.push({ endFrame: at, nextFrame: at, kind: 'pause' })
  }
  return [...cuts, { endFrame: frames, nextFrame: frames, kind: 'end' }]
}
