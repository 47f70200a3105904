import { STEP_MS } from '../../model/pcm.js'
import { stepsToFirstDelta } from '../../model/step-law.js'
import type { EngineActivity, EngineActivityStore, WorkerHeartbeats } from '../index.js'
import type { LocalChains } from '../lane/local-chains.js'
import type { Chain, Ledger } from '../ledger/ledger.js'
import { lanesHolding, leasesOf, withoutWorkers } from '../ledger/ledger-changes.js'
import type { LedgerClient } from '../ledger/ledger-client.js'
import { areAllKnown, type ConnectionReading, freshReadings } from './connection-count.js'
import {
  chainToEvict,
  deadlocked,
  type EvictableChain,
  hasRoomForStep,
  SILENCE_MAX_MS,
  type StalledGauges,
  silenceBoundMs,
  silenceMs,
} from './eviction-rule.js'
import { nextKnee } from './knee-controller.js'
import { type KvCorrection, NO_CORRECTION, nextCorrection } from './kv-correction.js'
import type { SessionTracker } from './session-activity.js'

/** A worker is suspected dead 10 s after its last heartbeat, and is dead when the beat expires. */
const SUSPECT_AFTER_MS = 10_000
/** After an eviction from a full engine it has one lane less for 10 min. */
const PENALTY_MS = 600_000
/** Time between two evictions from an engine: the effect of the first must show before the next. */
const EVICT_HOLD_MS = 2_500
/** Time between two checks of the knee, by whichever worker is first. */
const KNEE_HOLD_MS = 4_500
/** Time between two decreases of the KV correction, by whichever worker is first. */
const LOWER_HOLD_MS = 9_000
/**
 * After 1 s of silence of all sessions the controller decides; the sessions' own watchdogs wait.
 */
const SILENT_MS = 1_000
/** Silence that was found more than 5 s ago no longer counts. */
const STALE_MS = 5_000

/** The gauges of an engine that its controller uses; null for what isn't known. */
export interface ControllerGauges extends StalledGauges {
  readonly kvBlocksHeld: number | null
  readonly websocketConnections: number | null
}

/** The ledger, activities and gauges of one engine, and the limits of its controller. */
export interface EngineControllerOptions {
  client: LedgerClient
  activities: EngineActivityStore
  heartbeats: WorkerHeartbeats
  sessions: SessionTracker
  worker: string
  /**
   * Reads the gauges; null where the engine doesn't answer. Rejects with the signal's reason only.
   */
  readGauges(options: { signal: AbortSignal }): Promise<ControllerGauges | null>
  /** Lag bound of the knee in ms, the engine's `deltaDelayMs` included. */
  kneeLagMs: number
  deltaDelayMs: number
  /** How long one session may be silent, in ms; `deltaDelayMs` is added. */
  stallTimeoutMs: number
  /** The chains of this process: other chains under its name in the ledger are orphaned. */
  chains: Pick<LocalChains, 'has'>
  /** Time of this process's monotonic clock, in ms. */
  nowMs(): number
  onEvent(event: ControllerEvent): void
}

/** What a controller has seen or done; for logs and metrics. */
export type ControllerEvent =
  | { kind: 'kv_error'; errorBlocks: number; correctionBlocks: number }
  | { kind: 'knee_moved'; knee: number | null }
  | { kind: 'session_evicted'; chainId: string }
  | { kind: 'workers_reclaimed'; workers: readonly string[] }
  | { kind: 'orphaned_chains_removed'; chains: number }

/**
 * Controls one engine for this worker, once a second. It reports the activity of this worker's
 * sessions, and ends those that it is told to evict. What only one worker should do at a time, such
 * as an eviction, it does when it gets the lock for it.
 */
export class EngineController {
  /** For how long no session of any worker has got a delta although one was due. */
  private silentMs = 0
  /** When `silentMs` was found, by our clock. */
  private noticedMs = 0
  /**
   * Since when the engine has been silent, by the store's clock; null below the bound. It holds
   * until a delta comes, also while sessions are evicted one after the other and opened again.
   */
  private hungSinceMs: number | null = null
  private readonly options: EngineControllerOptions
  private correction: KvCorrection = NO_CORRECTION
  private gauges: ControllerGauges | null = null
  private predictedBlocks: number | null = null
  /** The engine's own counts of connections in the last ticks. */
  private readings: readonly ConnectionReading[] = []
  /** Chains under our name that the last tick found and that this process doesn't run. */
  private orphanedChains: ReadonlySet<string> = new Set()

  constructor(options: EngineControllerOptions) {
    this.options = options
  }

  /** Measured less predicted KV blocks at the last comparison; a metric. */
  get kvErrorBlocks(): number | null {
    return this.correction.errorBlocks
  }

  /** KV blocks of all workers' sessions by the law, in the last tick; null before the first. */
  get kvBlocksPredicted(): number | null {
    return this.predictedBlocks
  }

  /** The gauges as last read; null where the engine didn't answer. */
  get lastGauges(): ControllerGauges | null {
    return this.gauges
  }

  /** Whether the whole engine is silent: then a single session's watchdog must not end it. */
  get isSilent(): boolean {
    const { deltaDelayMs, nowMs } = this.options
    // While the store doesn't answer, other workers' sessions aren't known: watchdogs decide then.
    const isFresh = nowMs() - this.noticedMs < STALE_MS
    return isFresh && this.silentMs > SILENT_MS + deltaDelayMs
  }

  /** How long no session of any worker has got a delta, in ms, less the engine's `deltaDelayMs`. */
  get hungMs(): number {
    if (this.hungSinceMs === null) return 0
    return this.options.client.nowMs() - this.hungSinceMs - this.options.deltaDelayMs
  }

  /** The engine was taken out: earlier silence must not count against it when it comes back. */
  takenOut(): void {
    this.hungSinceMs = null
  }

  /** One tick. @throws UpstreamError `queue_unavailable`; the signal's reason */
  async tick(options: { signal: AbortSignal }): Promise<void> {
    const { client, activities, sessions, worker, nowMs } = this.options
    const { engine } = client
    const own = sessions.take(worker, nowMs(), (atMs) => client.toStore(atMs))
    await activities.publish(engine, own, options)
    const all = await activities.list(engine, options)
    this.noteSilence(all)
    await this.readGauges(options)
    const told = await activities.takeEvictionRequests(engine, worker, options)
    for (const chainId of told) sessions.evict(chainId)
    await this.correct(all, options)
    await this.moveKnee(all, options)
    await this.evictIfDeadlocked(all, options)
    await this.reclaim(all, options)
    await this.removeOrphanedChains(options)
  }

  private async readGauges(options: { signal: AbortSignal }): Promise<void> {
    const { client } = this.options
    const fromMs = client.nowMs()
    this.gauges = await this.options.readGauges(options)
    const toMs = client.nowMs()
    const connections = this.gauges?.websocketConnections ?? null
    const fresh = freshReadings(this.readings, toMs)
    this.readings = connections === null ? fresh : [...fresh, { fromMs, toMs, connections }]
  }

  private noteSilence(all: readonly EngineActivity[]): void {
    const { client, deltaDelayMs } = this.options
    const heardMs = Math.max(...all.map(({ newestDeltaMs }) => newestDeltaMs ?? 0))
    if (this.hungSinceMs !== null && heardMs > this.hungSinceMs) this.hungSinceMs = null
    this.silentMs = silenceMs(all)
    this.noticedMs = this.options.nowMs()
    if (this.silentMs <= SILENCE_MAX_MS + deltaDelayMs) return
    this.hungSinceMs ??= client.nowMs() - this.silentMs
  }

  private async correct(
    all: readonly EngineActivity[],
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { client, activities, onEvent } = this.options
    const measuredBlocks = this.gauges?.kvBlocksHeld ?? null
    const connections = this.gauges?.websocketConnections ?? null
    const ours = sum(all, ({ sessions }) => sessions)
    // Starts from the ledger's correction: other workers may have raised it, or this one is new.
    const knownBlocks = client.ledger.limit.correctionBlocks
    const known = { ...this.correction, correctionBlocks: knownBlocks }
    const predictedBlocks = sum(all, ({ kvBlocksPredicted }) => kvBlocksPredicted)
    this.predictedBlocks = predictedBlocks
    this.correction = nextCorrection(known, {
      atMs: client.nowMs(),
      predictedBlocks,
      measuredBlocks,
      changedMs: Math.max(0, ...all.map(({ changedMs }) => changedMs ?? 0)),
      foreignSessions: connections === null ? null : Math.max(0, connections - ours),
    })
    const { correctionBlocks, errorBlocks } = this.correction
    if (correctionBlocks === knownBlocks) return
    const isLower = correctionBlocks < knownBlocks
    const hold = { holdMs: LOWER_HOLD_MS, ...options }
    if (isLower && !(await activities.tryLock(client.engine, 'correction', hold))) return
    const isNew = await client.change(options, (ledger) => {
      const existing = ledger.limit.correctionBlocks
      const isNews = isLower ? existing === knownBlocks : existing < correctionBlocks
      const limit = { ...ledger.limit, correctionBlocks }
      return { ledger: isNews ? { ...ledger, limit } : null, value: isNews }
    })
    if (!isNew) return
    onEvent({ kind: 'kv_error', errorBlocks: errorBlocks ?? 0, correctionBlocks })
  }

  private async moveKnee(
    all: readonly EngineActivity[],
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { client, activities, kneeLagMs, onEvent } = this.options
    const lags = all.flatMap(({ lagP99Ms }) => lagP99Ms ?? [])
    if (lags.length === 0) return
    const holdMs = KNEE_HOLD_MS
    if (!(await activities.tryLock(client.engine, 'knee', { holdMs, ...options }))) return
    const sight = (ledger: Ledger, nowMs: number) => {
      return { lagP99Ms: Math.max(...lags), lanes: lanesHolding(ledger, ''), nowMs }
    }
    const moved = await client.change(options, (ledger, nowMs) => {
      const limit = nextKnee(ledger.limit, sight(ledger, nowMs), { boundMs: kneeLagMs })
      if (limit === ledger.limit) return { ledger: null, value: null }
      return { ledger: { ...ledger, limit }, value: { knee: limit.knee, from: ledger.limit.knee } }
    })
    if (moved && moved.knee !== moved.from) onEvent({ kind: 'knee_moved', knee: moved.knee })
  }

  private async evictIfDeadlocked(
    all: readonly EngineActivity[],
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { client, activities, onEvent } = this.options
    const boundMs = silenceBoundMs(this.gauges, this.options)
    if (!deadlocked(all, this.gauges, { boundMs })) return
    const holdMs = EVICT_HOLD_MS
    if (!(await activities.tryLock(client.engine, 'free', { holdMs, ...options }))) return
    const chain = chainToEvict(evictable(await client.read(options), client))
    if (!chain) return
    // With room in its cache the engine isn't full: a network that loses the text of the only lane
    // looks the same. So the engine keeps its number of lanes.
    const isFull = this.gauges === null || !hasRoomForStep(this.gauges)
    if (isFull) await this.penalize(chain, options)
    const { worker, id: chainId } = chain
    await activities.requestEviction(client.engine, { worker, chainId }, options)
    onEvent({ kind: 'session_evicted', chainId })
  }

  /** Limits the engine for 10 min to the lanes that hold sessions now, less the evicted one. */
  private async penalize(
    chain: Pick<EvictableChain, 'id'>,
    options: { signal: AbortSignal },
  ): Promise<void> {
    await this.options.client.change(options, (ledger, nowMs) => {
      const untilMs = Math.round(nowMs + PENALTY_MS)
      const penalty = { lanes: Math.max(1, lanesHolding(ledger, chain.id)), untilMs }
      const inForce = ledger.limit.penalties.filter((each) => each.untilMs > nowMs)
      const limit = { ...ledger.limit, penalties: [...inForce, penalty] }
      return { ledger: { ...ledger, limit }, value: undefined }
    })
  }

  /**
   * Removes orphaned chains of this process from the ledger: a lost answer left them there, and no
   * other worker would remove them while this one has a heartbeat. Only chains that two ticks have
   * found: one that was admitted a moment ago isn't registered in this process yet.
   */
  private async removeOrphanedChains(options: { signal: AbortSignal }): Promise<void> {
    const { client, worker, chains } = this.options
    const seen = this.orphanedChains
    const own = client.ledger.chains.filter((chain) => chain.worker === worker)
    const found = own.filter(({ id }) => !chains.has(id, client.engine)).map(({ id }) => id)
    this.orphanedChains = new Set(found)
    const left = found.filter((id) => seen.has(id))
    if (left.length === 0) return
    await client.change(options, (ledger) => {
      const isLeft = ({ worker: of, id }: Chain) => {
        // The lane may have been admitted again since.
        return of === worker && left.includes(id) && !chains.has(id, client.engine)
      }
      const kept = ledger.chains.filter((chain) => !isLeft(chain))
      return { ledger: { ...ledger, chains: kept }, value: undefined }
    })
    this.options.onEvent({ kind: 'orphaned_chains_removed', chains: left.length })
  }

  /**
   * Removes the leases of dead workers, once the engine has released their blocks. A worker without
   * a heartbeat for 10 s is enough where the engine has no connections but those of living workers;
   * otherwise its heartbeat must have expired.
   */
  private async reclaim(
    all: readonly EngineActivity[],
    options: { signal: AbortSignal },
  ): Promise<void> {
    const { client, heartbeats, worker, onEvent } = this.options
    const others = [...new Set(client.ledger.chains.map((chain) => chain.worker))].filter(
      (each) => each !== worker,
    )
    if (others.length === 0) return
    const ages = await heartbeats.ages(others, options)
    const certain = others.filter((each) => (ages.get(each) ?? null) === null)
    const suspects = others.filter((each) => (ages.get(each) ?? 0) > SUSPECT_AFTER_MS)
    const gone = new Set([...certain, ...suspects])
    const living = all.filter((activity) => !gone.has(activity.worker))
    const isReleased = areAllKnown(this.readings, living)
    const dead = new Set([...certain, ...(isReleased ? suspects : [])])
    if (dead.size === 0) return
    await client.change(options, (ledger) => ({
      ledger: withoutWorkers(ledger, dead),
      value: undefined,
    }))
    onEvent({ kind: 'workers_reclaimed', workers: [...dead] })
  }
}

/** Chains that hold a session, with the audio they would lose and the blocks they hold by plan. */
function evictable(ledger: Ledger, client: LedgerClient): EvictableChain[] {
  const nowMs = client.nowMs()
  const { curve } = client.wholePlan(ledger, nowMs)
  return leasesOf(ledger).map(({ chain: { id, worker, live, pace }, leg }) => {
    const frameMs = pace === 0 ? STEP_MS : STEP_MS / pace
    const sentMs = nowMs - leg.startMs - leg.behindMs
    const redoFrames = Math.max(0, Math.min(leg.frames, Math.floor(sentMs / frameMs)))
    const kvBlocksHeld = redoFrames > stepsToFirstDelta() ? curve.blocksAfter(redoFrames) : 0
    return { id, worker, live, redoFrames, kvBlocksHeld }
  })
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
