import pLimit from 'p-limit'
import type { Clock } from '../../kernel/clock.js'
import { sleepFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { StoreTime } from '../../kernel/store-time.js'
import type { LedgerReading, LedgerStore } from '../index.js'
import { type EnginePlan, RELEASE_GRACE_MS } from '../load/engine-plan.js'
import { hasLateLeases } from '../load/lease-times.js'
import { leasesFit } from '../load/leases-fit.js'
import { learnedPlan, ledgerOfPart, planOfPart } from './engine-limits.js'
import { EMPTY_LEDGER, type Ledger } from './ledger.js'
import { lanesHolding } from './ledger-changes.js'
import { type BlockRequest, isSafeToTake } from './safe-state.js'

/** How often a change is tried again after another worker's write came first. */
const TRIES_MAX = 50
/** Longest wait between two of those tries, in ms; each wait is a random part of it. */
const RETRY_MS_MAX = 40
/**
 * From a copy that is older nothing is granted without asking Redis: a lease that was granted since
 * could already be late. Shorter than the shortest life of a lease.
 */
const COPY_MAX_AGE_MS = RELEASE_GRACE_MS * 2

/** An engine's id and plan, and where its ledger is. */
export interface LedgerClientOptions {
  /** Id of the engine; the name of its ledger. */
  engine: string
  store: LedgerStore
  clock: Clock
  random: Random
  plan: EnginePlan
  /** Share of the engine that is kept for live sessions, 0 to 1: see `planOfPart`. */
  liveShare: number
}

/** A change of a ledger: the ledger to write (null: none), and the result for the caller. */
export interface LedgerStep<T> {
  ledger: Ledger | null
  value: T
}

/** A step that writes nothing and has no result. */
export const NO_CHANGE = { ledger: null, value: null } as const

/**
 * One engine's ledger for this process: a copy as last read, and changes by compare-and-set, tried
 * again while other workers write first.
 */
export class LedgerClient {
  readonly engine: string
  private readonly store: LedgerStore
  private readonly clock: Clock
  private readonly random: Random
  private readonly time = new StoreTime()
  private readonly turn = pLimit(1)
  private readonly liveShare: number
  private basePlan: EnginePlan
  private reading: LedgerReading = { ledger: EMPTY_LEDGER, revision: 0, nowMs: 0 }
  private readAtMs = Number.NEGATIVE_INFINITY

  constructor(options: LedgerClientOptions) {
    this.engine = options.engine
    this.store = options.store
    this.clock = options.clock
    this.random = options.random
    this.basePlan = options.plan
    this.liveShare = options.liveShare
  }

  /** Replaces the plan, once the engine's own figures are known or have changed. */
  setPlan(plan: EnginePlan): void {
    this.basePlan = plan
  }

  /**
   * The engine refused more audio than this in one session, so no leg is longer until `setPlan`. A
   * session that ended before the shortest leg is ignored: every leg would be too short for good.
   */
  limitLegs(frames: number): void {
    const { floorFrames, ceilingFrames } = this.basePlan
    if (frames < floorFrames || frames >= ceilingFrames) return
    this.basePlan = { ...this.basePlan, ceilingFrames: frames }
  }

  /** Most lanes at a time in a part of the engine, by the settings alone. */
  lanesMax({ live }: { live: boolean }): number {
    const { basePlan, liveShare } = this
    return planOfPart(basePlan, basePlan, { liveShare, live }).limits.lanes
  }

  /** Whether a part of the engine is for live sessions alone. */
  get keepsLiveShare(): boolean {
    return this.liveShare > 0
  }

  /** How long before its first audio a session is opened, in ms. */
  get openAheadMs(): number {
    return this.basePlan.openAheadMs
  }

  /** The copy; empty before the first read. */
  get ledger(): Ledger {
    return this.reading.ledger
  }

  /** The store's time, by our clock. */
  nowMs(): number {
    return this.time.toStore(this.clock.monotonicMs())
  }

  /** A moment of the store's time on our monotonic clock. */
  toMonotonic(storeMs: number): number {
    return this.time.toMonotonic(storeMs)
  }

  /** A moment of our monotonic clock in the store's time. */
  toStore(monotonicMs: number): number {
    return this.time.toStore(monotonicMs)
  }

  /**
   * What a lane may plan with: the engine's plan with what the ledger has learned about it, and of
   * that the part for recordings or for live sessions. Goes with the chains of `ledgerOf`.
   */
  planOf(ledger: Ledger, nowMs: number, { live }: { live: boolean }): EnginePlan {
    const { basePlan, liveShare } = this
    return planOfPart(basePlan, this.wholePlan(ledger, nowMs), { liveShare, live })
  }

  /** The plan of the engine for lanes of both kinds together. */
  wholePlan(ledger: Ledger, nowMs: number): EnginePlan {
    return learnedPlan(this.basePlan, ledger, { nowMs })
  }

  /** The chains that share a part of the engine: recordings, or live sessions. */
  ledgerOf(ledger: Ledger, { live }: { live: boolean }): Ledger {
    return ledgerOfPart(ledger, { liveShare: this.liveShare, live })
  }

  /** Reads the ledger anew. @throws UpstreamError `queue_unavailable`; the signal's reason */
  async read(options: { signal: AbortSignal }): Promise<Ledger> {
    return (await this.readAnew(options)).ledger
  }

  /**
   * The answer to this very question. The copy can't be used for it: another question, asked at the
   * same time, may have been answered later.
   */
  private async readAnew({ signal }: { signal: AbortSignal }): Promise<LedgerReading> {
    const beforeMs = this.clock.monotonicMs()
    const reading = await this.store.read(this.engine, { signal })
    this.reading = reading
    // The age of the copy counts from the question, because the answer may have taken seconds.
    this.readAtMs = beforeMs
    this.time.note(reading.nowMs, beforeMs, this.clock.monotonicMs())
    return reading
  }

  /**
   * Reads the ledger, lets `step` decide, and writes if no other worker has written since. Changes
   * of this process come one after the other, so that each sees the one before.
   * @param settle takes over the result before the next change of this process reads
   * @throws UpstreamError `queue_unavailable` after 50 tries; what the store throws
   */
  async change<T>(
    options: { signal: AbortSignal },
    step: (ledger: Ledger, nowMs: number) => LedgerStep<T>,
    settle: (value: T) => void = () => {},
  ): Promise<T> {
    return await this.turn(() => this.compareAndSet(options, step, settle))
  }

  private async compareAndSet<T>(
    { signal }: { signal: AbortSignal },
    step: (ledger: Ledger, nowMs: number) => LedgerStep<T>,
    settle: (value: T) => void,
  ): Promise<T> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const { ledger, revision, nowMs } = await this.readAnew({ signal })
      const result = step(ledger, nowMs)
      if (result.ledger === null) {
        settle(result.value)
        return result.value
      }
      const written = await this.store.write(this.engine, result.ledger, { revision, signal })
      if (written !== null) {
        this.reading = { ledger: result.ledger, revision: written, nowMs }
        settle(result.value)
        return result.value
      }
      await sleepFor(this.clock, this.random.uniform() * RETRY_MS_MAX, { signal })
    }
    throw new UpstreamError(
      'queue_unavailable',
      `The ledger of ${this.engine} changed ${TRIES_MAX} times while one change was tried.`,
      { effect: 'none' },
    )
  }

  /** Whether no lease is late by a copy of 2 s at most: then all plans hold as they are. */
  get allOnTime(): boolean {
    if (this.clock.monotonicMs() - this.readAtMs > COPY_MAX_AGE_MS) return false
    const { ledger } = this.reading
    return !hasLateLeases(this.basePlan, ledger, this.nowMs())
  }

  /**
   * Whether a lease may take its next block: all plans fit, or, where a lease is late, all sessions
   * can still end one after the other (`safe-state.ts`).
   */
  mayTake(ledger: Ledger, nowMs: number, request: BlockRequest): boolean {
    const live = ledger.chains.some((chain) => chain.id === request.chainId && chain.live)
    if (this.leasesFit(ledger, nowMs, { live })) return true
    const plan = this.planOf(ledger, nowMs, { live })
    return isSafeToTake(plan, this.ledgerOf(ledger, { live }), request, nowMs)
  }

  /** Whether other lanes use the whole limit, as after it has sunk: then this lane pauses. */
  isFullFor(chain: { chainId: string; live: boolean }, ledger = this.ledger): boolean {
    const { limits } = this.planOf(ledger, this.nowMs(), chain)
    return lanesHolding(this.ledgerOf(ledger, chain), chain.chainId) >= limits.lanes
  }

  /** Whether all leases of a part fit there until each of them is released. */
  leasesFit(ledger: Ledger, nowMs: number, part: { live: boolean }): boolean {
    return leasesFit(this.planOf(ledger, nowMs, part), this.ledgerOf(ledger, part), nowMs)
  }
}
