import type { Clock } from '../../kernel/clock.js'
import { InputError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import type { Waiter, WaitingList, WaitReason } from '../index.js'
import { LaneChain } from '../lane/lane-chain.js'
import type { LocalChains } from '../lane/local-chains.js'
import type { Ledger } from '../ledger/ledger.js'
import { lanesRunning, withChains } from '../ledger/ledger-changes.js'
import type { LedgerClient } from '../ledger/ledger-client.js'
import { type CutSource, cutsOf } from '../legs/lane-cuts.js'
import type { LegPlan } from '../legs/plan-legs.js'
import { type CandidateLane, type Decision, decide, isParked } from './decide.js'
import { hasLane, legFramesWith, roomOf, shareUsed } from './engine-room.js'
import { waitingOrder } from './waiting-order.js'

/** Most jobs that are told in one round that there may be room for them. */
const CALLED_MAX = 4
/** A job that was told and found no room is not told again for this long. */
const CALL_AGAIN_MS = 3_000
/** A waiting job asks again by itself after these times, at the latest and at the earliest. */
const ASK_AGAIN_MAX_MS = 45_000
const ASK_AGAIN_MIN_MS = 1_000
/**
 * For this long after the first job found no room, no later one is admitted. Smaller jobs would
 * otherwise take each block that becomes free, and the longest recordings would come last. After
 * that the others go on, because the first one may be gone.
 */
const HELD_BACK_MS = 8_000
/** A running lane moves to another engine where its legs could be 1.5 times as long. */
const MOVE_GAIN = 1.5
/** The part of an engine that isn't kept for live sessions. */
const RECORDINGS = { live: false }

/** A job that asks for the sessions of all its lanes. */
export interface SessionDemand {
  jobId: string
  tenant: string
  name: string
  /** 0 to 1000; higher goes first. */
  priority: number
  deadlineMs: number | null
  /** Goes on now or not at all: it is asked for out of the share of live sessions. */
  live: boolean
  /** The lanes of the job by their number, each with its cuts. */
  lanes: readonly {
    /** Multiple of real time; 0 for as fast as it goes. */
    pace: number
    fromFrame: number
    cuts: CutSource
    /** Audio that is left, in time at its pace. */
    remainingMs: number
  }[]
}

/** The answer to a job: its lanes may begin, or its position in the queue. */
export type Admission =
  | { kind: 'admitted'; lanes: LaneChain[] }
  | {
      kind: 'waiting'
      /** 1 for the next one. */
      place: number
      reason: WaitReason
      /** Unix epoch in ms; null where it isn't known. */
      expectedStartMs: number | null
      retryAfterMs: number
    }

/** The engines, the queue, and this worker. */
export interface SessionPoolOptions {
  clients: readonly LedgerClient[]
  waiting: WaitingList
  clock: Clock
  random: Random
  /** Id of this process in its leases. */
  worker: string
  agingMs: number
  /** Gets every chain: an engine's controller removes chains from the ledger that are not in it. */
  chains?: LocalChains
  /** False while a configured engine hasn't answered yet, which may be larger than these. */
  isWhole?(): boolean
  /** Whether an engine takes new legs. */
  isUp(client: LedgerClient): boolean
}

/** All engines together, for the jobs of this process: one queue in front of several ledgers. */
export class SessionPool {
  private readonly options: SessionPoolOptions
  private waiters: Waiter[] = []
  /** When each job of the last round was told that there may be room, on the monotonic clock. */
  private calledMs = new Map<string, number>()

  constructor(options: SessionPoolOptions) {
    this.options = options
  }

  /** Number of lanes on all engines, as last read. */
  get running(): number {
    return this.options.clients.reduce((sum, { ledger }) => sum + lanesRunning(ledger), 0)
  }

  /** Jobs of all workers that wait, as last read. */
  get line(): readonly Waiter[] {
    return this.waiters
  }

  /**
   * Admits all lanes of a job, or tells it to wait: then it joins the queue. A live session never
   * does: it waits for room in its own share alone, and asks again.
   * @throws InputError `media_too_long` when it can never fit; UpstreamError; the signal's reason
   */
  async admit(demand: SessionDemand, options: { signal: AbortSignal }): Promise<Admission> {
    const up = this.clientsUp()
    await this.readAll(options)
    if (demand.live) return await this.admitLive(up, demand, options)
    const waiter = this.waiterOf(demand)
    const line = await this.lineWith(waiter, options)
    const place = line.findIndex(({ jobId }) => jobId === demand.jobId)
    const before = line.slice(0, place)
    const ahead = before.reduce((sum, { lanes }) => sum + lanes, 0)
    const isItsTurn =
      ahead < this.room(up, demand) && !before.some((each) => this.foundNoRoom(each))
    let outcome: Extract<Decision, { kind: 'wait' }> = {
      kind: 'wait',
      reason: up.length === 0 ? 'engines' : 'turn',
      earliestMs: null,
    }
    let noRoomMs: number | null = null
    // The first job is tried even without room, for one that can never fit must be refused.
    if (up.length > 0 && (place === 0 || isItsTurn)) {
      const tried = await this.tryEngines(up, demand, options)
      if (tried.kind === 'admitted') {
        // Its entry in the queue expires by itself where it can't be removed.
        await this.options.waiting.remove(demand.jobId, options).catch(() => {})
        this.waiters = this.waiters.filter(({ jobId }) => jobId !== demand.jobId)
        return tried
      }
      outcome = tried
      if (holdsPlace(tried.reason)) noRoomMs = Math.round(this.nowMs())
    }
    await this.options.waiting.put({ ...waiter, noRoomMs, reason: outcome.reason }, options)
    return this.waits(outcome, place)
  }

  private async admitLive(
    up: readonly LedgerClient[],
    demand: SessionDemand,
    options: { signal: AbortSignal },
  ): Promise<Admission> {
    const tried = await this.tryEngines(up, demand, options)
    if (tried.kind === 'admitted') return tried
    return { ...this.waits(tried, 0), retryAfterMs: ASK_AGAIN_MIN_MS }
  }

  /**
   * Reads queue and ledgers. @returns ids of the jobs that there may be room for, so that they ask
   */
  async dueWaiters(options: { signal: AbortSignal }): Promise<string[]> {
    const up = this.clientsUp()
    await this.readAll(options)
    const line = await this.lineWith(null, options)
    const calm = up.filter((client) => {
      return !client.ledgerOf(client.ledger, RECORDINGS).chains.some(isParked)
    })
    let room = this.room(calm, RECORDINGS)
    const first: string[] = []
    for (const waiter of line) {
      // A job that needs more lanes than there are holds up all after it, or it would never begin.
      if (waiter.lanes > room || first.length === CALLED_MAX) break
      room -= waiter.lanes
      first.push(waiter.jobId)
      if (this.foundNoRoom(waiter)) break
    }
    const nowMs = this.options.clock.monotonicMs()
    const lastMs = (jobId: string) => this.calledMs.get(jobId) ?? Number.NEGATIVE_INFINITY
    const called = first.filter((jobId) => nowMs - lastMs(jobId) >= CALL_AGAIN_MS)
    this.calledMs = new Map(first.map((id) => [id, called.includes(id) ? nowMs : lastMs(id)]))
    return called
  }

  /** Takes a job out of the queue. */
  async leave(jobId: string, options: { signal: AbortSignal }): Promise<void> {
    await this.options.waiting.remove(jobId, options)
  }

  private waits(
    outcome: { reason: WaitReason; earliestMs: number | null },
    place: number,
  ): Extract<Admission, { kind: 'waiting' }> {
    const nowMs = this.nowMs()
    const { reason, earliestMs } = outcome
    // Jobs that an outage sent away in one moment come back at different ones.
    const chance = reason === 'engines' ? this.options.random.uniform() / 2 : 0
    const inMs = earliestMs === null ? ASK_AGAIN_MAX_MS * (1 - chance) : earliestMs - nowMs
    const retryAfterMs = Math.min(ASK_AGAIN_MAX_MS, Math.max(ASK_AGAIN_MIN_MS, inMs))
    return {
      kind: 'waiting',
      place: place + 1,
      reason,
      expectedStartMs: earliestMs === null ? null : Math.round(earliestMs),
      retryAfterMs,
    }
  }

  private async tryEngines(
    clients: readonly LedgerClient[],
    demand: SessionDemand,
    { signal }: { signal: AbortSignal },
  ): Promise<Extract<Admission, { kind: 'admitted' }> | Extract<Decision, { kind: 'wait' }>> {
    const waits: Extract<Decision, { kind: 'wait' }>[] = []
    const refusals: string[] = []
    for (const client of this.byFit(clients, demand)) {
      const decision = await client.change({ signal }, (ledger, nowMs) => {
        const value = this.decideAt(client, demand, ledger, nowMs)
        return { ledger: value.kind === 'admit' ? value.ledger : null, value }
      })
      if (decision.kind === 'admit') {
        return { kind: 'admitted', lanes: this.chains(client, demand, decision.plans) }
      }
      if (decision.kind === 'wait') waits.push(decision)
      else refusals.push(decision.sentence)
    }
    const soonest = waits.sort(
      (one, other) =>
        (one.earliestMs ?? Number.POSITIVE_INFINITY) - (other.earliestMs ?? Number.MAX_VALUE),
    )[0]
    if (soonest) return soonest
    // An engine that is out may be larger, and the job fit there.
    const isWhole = this.options.isWhole?.() ?? true
    if (clients.length < this.options.clients.length || !isWhole) {
      return { kind: 'wait', reason: 'engines', earliestMs: null }
    }
    throw new InputError(
      'media_too_long',
      `${demand.name} doesn't fit on any engine: ${refusals[0]} (settings legs.floorMs, engine.sessionsMax, admission.policy${demand.live ? ', admission.liveShare' : ''}).`,
      { facts: { lanes: demand.lanes.length } },
    )
  }

  private decideAt(
    client: LedgerClient,
    demand: SessionDemand,
    ledger: Ledger,
    nowMs: number,
  ): Decision {
    const lanesMax = client.lanesMax(demand)
    if (demand.lanes.length > lanesMax) {
      const sentence = `it needs ${demand.lanes.length} sessions at once, and ${lanesMax} may run`
      return { kind: 'refuse', sentence }
    }
    const lanes = demand.lanes.map(({ pace, fromFrame, cuts }, lane): CandidateLane => {
      return { chainId: chainId(demand.jobId, lane), pace, fromFrame, cuts: cutsOf(cuts) }
    })
    // Chains of an earlier attempt of the job may still be in the ledger. Those of another worker
    // may hold sessions until the controller has reclaimed them; those of this worker hold none.
    const { worker } = this.options
    const ids = new Set(lanes.map((lane) => lane.chainId))
    const left = ledger.chains.filter(({ id }) => ids.has(id))
    if (left.some((chain) => chain.worker !== worker)) {
      return { kind: 'wait', reason: 'turn', earliestMs: null }
    }
    const clean = { ...ledger, chains: ledger.chains.filter(({ id }) => !ids.has(id)) }
    const { live, jobId } = demand
    const waitingLanes = this.waitingLanesFor(client, { live, exceptJobId: jobId })
    const context = { nowMs, worker, live, waitingLanes }
    const part = client.ledgerOf(clean, demand)
    const decided = decide(client.planOf(clean, nowMs, demand), part, lanes, context)
    if (decided.kind !== 'admit') return decided
    return { ...decided, ledger: withChains(clean, decided.ledger.chains) }
  }

  private chains(
    client: LedgerClient,
    demand: SessionDemand,
    plans: readonly LegPlan[],
  ): LaneChain[] {
    const { worker, clock, random } = this.options
    return demand.lanes.map(({ pace, cuts, fromFrame }, lane) => {
      const common = { chainId: chainId(demand.jobId, lane), worker, pace, cuts, clock, random }
      const { live } = demand
      const waitingLanes = (at: LedgerClient) => {
        return this.waitingLanesFor(at, { live, exceptJobId: null })
      }
      const chooseEngine = (current: LedgerClient, isStuck: boolean) => {
        return this.chooseEngine(current, isStuck, demand)
      }
      const admitted = plans[lane] ?? null
      const chain = new LaneChain(
        { ...common, live, waitingLanes, chooseEngine },
        { client, fromFrame, admitted },
      )
      this.options.chains?.add(chain)
      return chain
    })
  }

  /**
   * Lanes that the running ones should make room for on an engine, by shorter legs: those in the
   * queue that it has room for on average. When they are fewer than all engines have room for, each
   * gets its part. Live sessions in a share of their own make room for each other beforehand.
   */
  private waitingLanesFor(
    client: LedgerClient,
    { live, exceptJobId }: { live: boolean; exceptJobId: string | null },
  ): number {
    const part = { live }
    if (live && client.keepsLiveShare) return 0
    const waiting = this.waiters.filter(({ jobId }) => jobId !== exceptJobId)
    const lanes = waiting.reduce((sum, waiter) => sum + waiter.lanes, 0)
    if (lanes === 0) return 0
    const here = roomOf(client, part)
    const everywhere = this.room(this.clientsUp(), part)
    return lanes >= everywhere ? here : Math.ceil((lanes * here) / everywhere)
  }

  /** Whether a job was the first within the last 8 s, and found no room. */
  private foundNoRoom({ noRoomMs }: Waiter): boolean {
    return noRoomMs !== null && this.nowMs() - noRoomMs < HELD_BACK_MS
  }

  /** Reads the ledgers of all engines, also of those that are out: that tells the store's time. */
  private async readAll(options: { signal: AbortSignal }): Promise<void> {
    await Promise.all(this.options.clients.map((client) => client.read(options)))
  }

  /** The store's time. */
  private nowMs(): number {
    return this.options.clients[0]?.nowMs() ?? 0
  }

  private clientsUp(): LedgerClient[] {
    return this.options.clients.filter((client) => this.options.isUp(client))
  }

  /**
   * The engine for a lane's next leg: the current one, unless it is out or another is much emptier.
   * A lane that is stuck gets the next engine in order.
   */
  private chooseEngine(
    current: LedgerClient,
    isStuck: boolean,
    part: { live: boolean },
  ): LedgerClient {
    const up = this.clientsUp()
    if (isStuck) return up[(up.indexOf(current) + 1) % up.length] ?? current
    // An engine with all its lanes takes no other, however empty its cache is.
    const open = up.filter((client) => client === current || hasLane(client, part))
    const best = this.byFit(open, part)[0] ?? this.byFit(up, part)[0]
    if (best === undefined || best === current) return current
    if (!this.options.isUp(current)) return best
    // Under the other policies all legs are planned for this engine.
    if (current.wholePlan(current.ledger, current.nowMs()).policy !== 'elastic') return current
    return legFramesWith(best, 1, part) > legFramesWith(current, 0, part) * MOVE_GAIN
      ? best
      : current
  }

  private byFit(clients: readonly LedgerClient[], part: { live: boolean }): LedgerClient[] {
    return [...clients]
      .map((client) => {
        return { client, frames: legFramesWith(client, 1, part), share: shareUsed(client, part) }
      })
      .sort((one, other) => other.frames - one.frames || one.share - other.share)
      .map(({ client }) => client)
  }

  /** Lanes that the engines could take beside those that they run, on average. */
  private room(clients: readonly LedgerClient[], part: { live: boolean }): number {
    return clients.reduce((sum, client) => sum + roomOf(client, part), 0)
  }

  private waiterOf(demand: SessionDemand): Waiter {
    const { jobId, tenant, priority, deadlineMs, lanes } = demand
    const remainingMs = Math.max(...lanes.map((lane) => lane.remainingMs))
    const sinceMs = Math.round(this.nowMs())
    const noRoomMs = null
    const standing = { priority, deadlineMs, remainingMs, sinceMs, noRoomMs }
    return { jobId, tenant, lanes: lanes.length, ...standing }
  }

  private async lineWith(
    waiter: Waiter | null,
    options: { signal: AbortSignal },
  ): Promise<Waiter[]> {
    this.waiters = await this.options.waiting.list(options)
    const stands = waiter !== null && this.waiters.some(({ jobId }) => jobId === waiter.jobId)
    const all = waiter === null || stands ? this.waiters : [...this.waiters, waiter]
    const nowMs = this.nowMs()
    return waitingOrder(all, { nowMs, agingMs: this.options.agingMs })
  }
}

/** Whether later jobs could take what a job with this reason waits for. */
function holdsPlace(reason: WaitReason): boolean {
  return reason !== 'turn' && reason !== 'engines'
}

function chainId(jobId: string, lane: number): string {
  return `${jobId}/${lane}`
}
