import type { ConnectionCount } from './engine/connection-count.js'
import type { Ledger } from './ledger/ledger.js'

/** A ledger as it was read. */
export interface LedgerReading {
  ledger: Ledger
  /** Grows with every write; 0 for a ledger that nobody has written yet. */
  revision: number
  /** The store's clock at the read, ms of the Unix epoch. */
  nowMs: number
}

/**
 * The ledgers of all engines. Methods throw UpstreamError `queue_unavailable` when the store
 * doesn't answer, and the signal's reason.
 */
export interface LedgerStore {
  read(engine: string, options: { signal: AbortSignal }): Promise<LedgerReading>
  /** Writes if nobody has written since that revision. @returns the new revision, null if not */
  write(
    engine: string,
    ledger: Ledger,
    options: { revision: number; signal: AbortSignal },
  ): Promise<number | null>
}

/** Why a job waits. */
export type WaitReason =
  /** Others are before it. */
  | 'turn'
  /** As many lanes run as may: a setting, the compute knee, or `max_num_seqs`. */
  | 'lanes'
  /** A recording that has begun waits for its next leg. */
  | 'parked'
  /** The KV cache would overflow at some moment. */
  | 'kv'
  /** Steps would take longer than they may. */
  | 'step-time'
  /** No engine is up. */
  | 'engines'

/** A job that waits for room. */
export interface Waiter {
  readonly jobId: string
  readonly tenant: string
  /** All granted in one step, or none. */
  readonly lanes: number
  /** 0 to 1000; higher goes first. */
  readonly priority: number
  readonly deadlineMs: number | null
  /** Audio that is still to be replayed, of its longest lane, in time at its pace. */
  readonly remainingMs: number
  /** Since when it has waited, by the store's clock. */
  readonly sinceMs: number
  /** When it was last its turn and there was no room, by the store's clock; null: never yet. */
  readonly noRoomMs: number | null
  /** What it was told when it last asked; absent before that. For people and metrics only. */
  readonly reason?: WaitReason
}

/**
 * The jobs that wait, of all engines together: one order for the pool. Each job writes its own
 * entry only. An entry that isn't renewed for a while is dropped, so that the job of a dead worker
 * blocks nobody.
 */
export interface WaitingList {
  /** Registers or renews; `sinceMs` of an entry that stands is kept. */
  put(waiter: Waiter, options: { signal: AbortSignal }): Promise<void>
  remove(jobId: string, options: { signal: AbortSignal }): Promise<void>
  /** In no particular order. */
  list(options: { signal: AbortSignal }): Promise<Waiter[]>
}

/**
 * An entry that wasn't renewed for so long is dropped. A waiting job comes back several times in it
 * to renew its entry, and what a dead worker had is another's after 15 s: whoever is silent for
 * longer is nobody's any more.
 */
export const WAITER_KEPT_MS = 120_000

/** Which workers live. */
export interface WorkerHeartbeats {
  /** Told every few seconds; the sign expires by itself after `SIGN_KEPT_MS`. */
  beat(worker: string, options: { signal: AbortSignal }): Promise<void>
  /** Time since the last sign of each worker; null where it has expired. */
  ages(
    workers: readonly string[],
    options: { signal: AbortSignal },
  ): Promise<ReadonlyMap<string, number | null>>
  /** Takes the sign away: the worker has ended. */
  deregister(worker: string, options: { signal: AbortSignal }): Promise<void>
}

/** A worker is dead for certain so long after its last sign. */
export const HEARTBEAT_TTL_MS = 45_000

/** How one engine's sessions in one worker fare; times by the store's clock. */
export interface EngineActivity {
  readonly worker: string
  readonly atMs: number
  /** When the newest delta of any session came; null before the first. */
  readonly newestDeltaMs: number | null
  /** Since when the oldest frame that is due an answer has waited; null when none is. */
  readonly oldestDueMs: number | null
  /** Sessions that have an open socket. */
  readonly sessions: number
  /** Sessions that the engine has greeted and that haven't ended, in the last seconds. */
  readonly connectionCounts: readonly ConnectionCount[]
  /** Blocks that they hold by the law, from the deltas received. */
  readonly kvBlocksPredicted: number
  /** When one of them was last opened or closed; null before the first. */
  readonly changedMs: number | null
  /** p99 of lag over the last seconds; null without deltas. */
  readonly lagP99Ms: number | null
}

/** The pulses of all workers, and the lock of who may free an engine. */
export interface EngineActivityStore {
  publish(engine: string, activity: EngineActivity, options: { signal: AbortSignal }): Promise<void>
  /** Not older than a few seconds. */
  list(engine: string, options: { signal: AbortSignal }): Promise<EngineActivity[]>
  /** True for one caller only, until `holdMs` have passed. */
  tryLock(
    engine: string,
    purpose: string,
    options: { holdMs: number; signal: AbortSignal },
  ): Promise<boolean>
  /** Tells the worker that carries a chain to close its session; it goes on later. */
  requestEviction(
    engine: string,
    chain: { worker: string; chainId: string },
    options: { signal: AbortSignal },
  ): Promise<void>
  /** What a worker was told to free on an engine since it last asked. */
  takeEvictionRequests(
    engine: string,
    worker: string,
    options: { signal: AbortSignal },
  ): Promise<string[]>
}

/** Pulses come every second: one that is older speaks of a worker that is stuck or gone. */
export const ACTIVITY_TTL_MS = 5_000

/**
 * What nobody has taken for so long is dropped: what the sessions were in is over by then, one way
 * or the other, and nobody shall lose one for it.
 */
export const EVICTION_REQUEST_TTL_MS = 30_000
