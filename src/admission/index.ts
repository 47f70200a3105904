import type { ConnectionCount } from './engine/connection-count.js'
import type { Ledger } from './ledger/ledger.js'

/** A ledger as it was read. */
export interface LedgerReading {
  ledger: Ledger
  /** Grows with every write; 0 for a ledger that was never written. */
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
  /**
   * Writes the ledger if it still has that revision.
   * @returns the new revision; null where another write came first
   */
  write(
    engine: string,
    ledger: Ledger,
    options: { revision: number; signal: AbortSignal },
  ): Promise<number | null>
}

/** Why a job waits. */
export type WaitReason =
  /** Other jobs are before it in the queue. */
  | 'turn'
  /** The maximum number of lanes runs: by a setting, the compute knee, or `max_num_seqs`. */
  | 'lanes'
  /** A lane that was admitted before is parked, without room for its next leg, and goes first. */
  | 'parked'
  /** The KV cache would overflow at some moment. */
  | 'kv'
  /** The engine's steps would take longer than their budget. */
  | 'step-time'
  /** No engine is up. */
  | 'engines'

/** A job that waits for room. */
export interface Waiter {
  readonly jobId: string
  readonly tenant: string
  /** Number of its lanes; all are admitted together, or none. */
  readonly lanes: number
  /** Priority of the job, 0 to 1000; higher goes first. */
  readonly priority: number
  readonly deadlineMs: number | null
  /** Time to replay what is left of its longest lane, at its pace. */
  readonly remainingMs: number
  /** Since when it has waited, by the store's clock. */
  readonly sinceMs: number
  /** When it was last first in the queue and found no room, by the store's clock; null: never. */
  readonly noRoomMs: number | null
  /** Why it was not admitted when it last asked; absent before. For people and metrics only. */
  readonly reason?: WaitReason
}

/**
 * The jobs that wait for room, in one queue for all engines. Each job writes its own entry only. An
 * entry that isn't renewed for `WAITER_KEPT_MS` is dropped, so that the job of a dead worker
 * doesn't block the jobs behind it.
 */
export interface WaitingList {
  /** Adds or renews an entry; `sinceMs` of an existing entry is kept. */
  put(waiter: Waiter, options: { signal: AbortSignal }): Promise<void>
  remove(jobId: string, options: { signal: AbortSignal }): Promise<void>
  /** All entries, in no particular order. */
  list(options: { signal: AbortSignal }): Promise<Waiter[]>
}

/**
 * An entry of the waiting list that wasn't renewed for 120 s is dropped. A waiting job renews its
 * entry several times in that time, and another worker takes over the jobs of a dead one after
 * 15 s: an entry that is older belongs to no worker any more.
 */
export const WAITER_KEPT_MS = 120_000

/** Which workers are alive. */
export interface WorkerHeartbeats {
  /** Renews a worker's heartbeat, every few seconds; it expires after `HEARTBEAT_TTL_MS`. */
  beat(worker: string, options: { signal: AbortSignal }): Promise<void>
  /** Time since each worker's last heartbeat, in ms; null where it has expired. */
  ages(
    workers: readonly string[],
    options: { signal: AbortSignal },
  ): Promise<ReadonlyMap<string, number | null>>
  /** Removes a worker's heartbeat, because the worker has ended. */
  deregister(worker: string, options: { signal: AbortSignal }): Promise<void>
}

/** A worker counts as dead 45 s after its last heartbeat. */
export const HEARTBEAT_TTL_MS = 45_000

/** The state of one engine's sessions in one worker; times by the store's clock. */
export interface EngineActivity {
  readonly worker: string
  readonly atMs: number
  /** When the newest delta of any session came; null before the first. */
  readonly newestDeltaMs: number | null
  /** When the oldest frame was sent whose delta is due and missing; null when none is missing. */
  readonly oldestDueMs: number | null
  /** Sessions that this worker has begun and not yet ended. */
  readonly sessions: number
  /** Sessions that the engine has greeted and that haven't ended, over the last 5 s. */
  readonly connectionCounts: readonly ConnectionCount[]
  /** KV blocks that the sessions hold by the KV law, from the deltas received. */
  readonly kvBlocksPredicted: number
  /** When a session was last opened or closed; null before the first. */
  readonly changedMs: number | null
  /** p99 of the lag of deltas since the last report, about 1 s; null without deltas. */
  readonly lagP99Ms: number | null
}

/** The activity of all workers' sessions by engine, eviction requests, and locks of controllers. */
export interface EngineActivityStore {
  publish(engine: string, activity: EngineActivity, options: { signal: AbortSignal }): Promise<void>
  /** The reports of all workers that are not older than `ACTIVITY_TTL_MS`. */
  list(engine: string, options: { signal: AbortSignal }): Promise<EngineActivity[]>
  /** Takes a lock of an engine: true for one caller of all workers, until `holdMs` have passed. */
  tryLock(
    engine: string,
    purpose: string,
    options: { holdMs: number; signal: AbortSignal },
  ): Promise<boolean>
  /** Tells the worker of a chain to close the chain's session; its lane is replayed on later. */
  requestEviction(
    engine: string,
    chain: { worker: string; chainId: string },
    options: { signal: AbortSignal },
  ): Promise<void>
  /** Ids of the chains that a worker was told to evict from an engine since it last asked. */
  takeEvictionRequests(
    engine: string,
    worker: string,
    options: { signal: AbortSignal },
  ): Promise<string[]>
}

/** Activity is reported every second: a worker whose report is older than 5 s is stuck or gone. */
export const ACTIVITY_TTL_MS = 5_000

/**
 * An eviction request that its worker hasn't taken for 30 s is dropped: by then the deadlock is
 * over, and no session shall be closed for it.
 */
export const EVICTION_REQUEST_TTL_MS = 30_000
