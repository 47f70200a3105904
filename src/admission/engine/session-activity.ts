import { StopRequested } from '../../kernel/errors.js'
import { type KvModel, kvBlocksHeld } from '../../model/kv-model.js'
import { stepsToFirstDelta } from '../../model/step-law.js'
import type { EngineActivity } from '../index.js'
import { ConnectionLog } from './connection-count.js'

/** The reason with which a session is evicted: its leg is replayed later. */
export const SESSION_EVICTED = new StopRequested(
  'internal',
  'The session was closed so that the others of its engine go on.',
)

/** The most lags that a p99 is computed from: 6 s of a hundred sessions. */
const LAGS_MAX = 8_192

/** What one session reports to the controller of its engine. */
export interface SessionActivity {
  /** Aborts with `SESSION_EVICTED` when this session is to be closed. */
  readonly evicted: AbortSignal
  /** The engine has greeted the session. */
  connected(nowMs: number): void
  frameSent(nowMs: number): void
  /** @param lagMs null for a sender without a pace: its lag says nothing about the engine */
  deltaReceived(nowMs: number, lagMs: number | null): void
  ended(nowMs: number): void
}

interface TrackedSession {
  chainId: string
  frames: number
  deltas: number
  dueSinceMs: number | null
  isConnected: boolean
  eviction: AbortController
}

/**
 * Collects the activity of one engine's sessions in this process, for a report once a second. Times
 * are of the process's monotonic clock.
 */
export class SessionTracker {
  private readonly sessions = new Set<TrackedSession>()
  private readonly kvModel: KvModel
  private readonly log = new ConnectionLog()
  private lagsMs: number[] = []
  private newestDeltaMs: number | null = null
  private changedMs: number | null = null

  constructor(kvModel: KvModel) {
    this.kvModel = kvModel
  }

  /** A session of a chain begins. @returns where it reports */
  open(chainId: string, nowMs: number): SessionActivity {
    const session: TrackedSession = {
      chainId,
      frames: 0,
      deltas: 0,
      dueSinceMs: null,
      isConnected: false,
      eviction: new AbortController(),
    }
    this.sessions.add(session)
    this.changedMs = nowMs
    return {
      evicted: session.eviction.signal,
      connected: (atMs) => {
        session.isConnected = true
        this.log.add(1, atMs)
      },
      frameSent: (atMs) => {
        session.frames += 1
        if (isDue(session)) session.dueSinceMs ??= atMs
      },
      deltaReceived: (atMs, lagMs) => {
        session.deltas += 1
        session.dueSinceMs = isDue(session) ? atMs : null
        this.newestDeltaMs = atMs
        if (lagMs !== null && this.lagsMs.length < LAGS_MAX) this.lagsMs.push(lagMs)
      },
      ended: (atMs) => {
        this.sessions.delete(session)
        if (session.isConnected) this.log.add(-1, atMs)
        this.changedMs = atMs
      },
    }
  }

  /** Ends the sessions of a chain, so that the engine's other sessions get its blocks. */
  evict(chainId: string): void {
    for (const session of this.sessions) {
      if (session.chainId === chainId) session.eviction.abort(SESSION_EVICTED)
    }
  }

  /** The activity since the last call. @param toStore from our clock to the store's */
  take(worker: string, nowMs: number, toStore: (monotonicMs: number) => number): EngineActivity {
    const inStore = (atMs: number | null) => (atMs === null ? null : toStore(atMs))
    let oldestDueMs: number | null = null
    let kvBlocksPredicted = 0
    for (const { dueSinceMs, deltas } of this.sessions) {
      kvBlocksPredicted += kvBlocksHeld(this.kvModel, deltas)
      if (dueSinceMs !== null) oldestDueMs = Math.min(oldestDueMs ?? dueSinceMs, dueSinceMs)
    }
    const lagP99Ms = highest(this.lagsMs, 0.99)
    this.lagsMs = []
    return {
      worker,
      atMs: toStore(nowMs),
      newestDeltaMs: inStore(this.newestDeltaMs),
      oldestDueMs: inStore(oldestDueMs),
      sessions: this.sessions.size,
      connectionCounts: this.log.take(nowMs).map(([sinceMs, count]) => [toStore(sinceMs), count]),
      kvBlocksPredicted,
      changedMs: inStore(this.changedMs),
      lagP99Ms,
    }
  }
}

function isDue({ frames, deltas }: TrackedSession): boolean {
  return frames - stepsToFirstDelta() > deltas
}

function highest(values: number[], share: number): number | null {
  values.sort((one, other) => one - other)
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? null
}
