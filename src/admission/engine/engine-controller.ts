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

/** A worker is suspected dead so long after its last sign, and dead for certain when it expires. */
const SUSPECT_AFTER_MS = 10_000
/** One lane less for so long, after a deadlock was freed. */
const PENALTY_MS = 600_000
/** Freeing waits so long for what it has done to show. */
const EVICT_HOLD_MS = 2_500
/** How often the knee is looked at. */
const KNEE_HOLD_MS = 4_500
/** The correction is lowered by one worker at a time, and not more often. */
const LOWER_HOLD_MS = 9_000
/** An engine that is silent for so long decides over its sessions itself; their watchdogs wait. */
const SILENT_MS = 1_000
/** What was seen of it says nothing any more after so long. */
const STALE_MS = 5_000

/** What an engine's own gauges tell; null for what isn't known. */
export interface ControllerGauges extends StalledGauges {
  readonly kvBlocksHeld: number | null
  readonly websocketConnections: number | null
}

/** What a keeper works with. */
export interface EngineControllerOptions {
  client: LedgerClient
  activities: EngineActivityStore
  heartbeats: WorkerHeartbeats
  sessions: SessionTracker
  worker: string
  /** Null where the engine can't be asked. Never rejects but with the signal's reason. */
  readGauges(options: { signal: AbortSignal }): Promise<ControllerGauges | null>
  /** Lag bound of the knee, with what the engine holds back added. */
  kneeLagMs: number
  deltaDelayMs: number
  /** How long one session may be silent; `deltaDelayMs` is added. */
  stallTimeoutMs: number
  /** Those of this process: what else stands under its name is taken out. */
  chains: Pick<LocalChains, 'has'>
  /** Our monotonic clock. */
  nowMs(): number
  onEvent(event: ControllerEvent): void
}

/** What a keeper has seen or done; for logs and metrics. */
export type ControllerEvent =
  | { kind: 'kv_error'; errorBlocks: number; correctionBlocks: number }
  | { kind: 'knee_moved'; knee: number | null }
  | { kind: 'deadlock_freed'; chainId: string }
  | { kind: 'workers_reclaimed'; workers: readonly string[] }
  | { kind: 'strays_taken_out'; chains: number }

/**
 * Looks after one engine for this worker, once a second: tells how its sessions fare, and does what
 * only one worker should do at a time when it gets the lock for it.
 */
export class EngineController {
  /** For how long no session of any worker has heard from the engine although it should have. */
  private silentMs = 0
  /** When that was found out, by our clock. */
  private noticedMs = 0
  /**
   * Since when it has been silent beyond the bound, by the store's clock: until a delta comes, also
   * while its sessions are closed one after the other, and opened again.
   */
  private hungSinceMs: number | null = null
  private readonly options: EngineControllerOptions
  private correction: KvCorrection = NO_CORRECTION
  private gauges: ControllerGauges | null = null
  private predictedBlocks: number | null = null
  /** What the engine has counted in the last rounds. */
  private readings: readonly ConnectionReading[] = []
  /** Chains under our name that the round before found to be nobody's. */
  private orphanedChains: ReadonlySet<string> = new Set()

  constructor(options: EngineControllerOptions) {
    this.options = options
  }

  /** Measured less predicted blocks at the last comparison; a metric. */
  get kvErrorBlocks(): number | null {
    return this.correction.errorBlocks
  }

  /** What the law says that all our sessions held at that moment; null before the first round. */
  get kvBlocksPredicted(): number | null {
    return this.predictedBlocks
  }

  /** The last answer of the engine. */
  get lastGauges(): ControllerGauges | null {
    return this.gauges
  }

  /** Whether the whole engine is silent: then one session's own watchdog has nothing to say. */
  get isSilent(): boolean {
    const { deltaDelayMs, nowMs } = this.options
    // Without the store nobody knows how the others fare: then each session minds itself.
    const isFresh = nowMs() - this.noticedMs < STALE_MS
    return isFresh && this.silentMs > SILENT_MS + deltaDelayMs
  }

  /** How long the engine has given nothing, whoever asked; what it holds back is taken off. */
  get hungMs(): number {
    if (this.hungSinceMs === null) return 0
    return this.options.client.nowMs() - this.hungSinceMs - this.options.deltaDelayMs
  }

  /** The engine was taken out: what was before says nothing of what comes back. */
  takenOut(): void {
    this.hungSinceMs = null
  }

  /** One round. @throws UpstreamError `queue_unavailable`; the signal's reason */
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
    // What others have found out counts as well, most of all for a worker that has just come.
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
      const standing = ledger.limit.correctionBlocks
      const isNews = isLower ? standing === knownBlocks : standing < correctionBlocks
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
    // A network that swallows what one lane hears looks the same while that lane is the only one.
    const isFull = this.gauges === null || !hasRoomForStep(this.gauges)
    if (isFull) await this.penalize(chain, options)
    const { worker, id: chainId } = chain
    await activities.requestEviction(client.engine, { worker, chainId }, options)
    onEvent({ kind: 'deadlock_freed', chainId })
  }

  /** From here on the engine carries fewer lanes for a while. */
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

  /** Takes out what this process has left behind; seen twice, for it may just be on its way. */
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
        // It may have been let in again since.
        return of === worker && left.includes(id) && !chains.has(id, client.engine)
      }
      const kept = ledger.chains.filter((chain) => !isLeft(chain))
      return { ledger: { ...ledger, chains: kept }, value: undefined }
    })
    this.options.onEvent({ kind: 'strays_taken_out', chains: left.length })
  }

  /** Takes out the leases of workers that are dead, once the engine has freed their blocks. */
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
    const isFreed = areAllKnown(this.readings, living)
    const dead = new Set([...certain, ...(isFreed ? suspects : [])])
    if (dead.size === 0) return
    await client.change(options, (ledger) => ({
      ledger: withoutWorkers(ledger, dead),
      value: undefined,
    }))
    onEvent({ kind: 'workers_reclaimed', workers: [...dead] })
  }
}

/** Chains that hold a session, with what they would lose and what they hold by their plans. */
function evictable(ledger: Ledger, client: LedgerClient): EvictableChain[] {
  const nowMs = client.nowMs()
  const { curve } = client.wholePlan(ledger, nowMs)
  return leasesOf(ledger).map(({ chain: { id, worker, live, pace }, leg }) => {
    const frameMs = pace === 0 ? STEP_MS : STEP_MS / pace
    const heardMs = nowMs - leg.startMs - leg.behindMs
    const redoFrames = Math.max(0, Math.min(leg.frames, Math.floor(heardMs / frameMs)))
    const kvBlocksHeld = redoFrames > stepsToFirstDelta() ? curve.blocksAfter(redoFrames) : 0
    return { id, worker, live, redoFrames, kvBlocksHeld }
  })
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
