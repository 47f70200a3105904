/**
 * What all workers have agreed on for one engine: which lanes hold sessions now, which legs are
 * planned, and how many lanes there may be. One value in Redis, changed by compare-and-set. Times
 * are ms of the store's own clock (Unix epoch); lengths of audio are frames of 80 ms.
 */
export interface Ledger {
  readonly chains: readonly Chain[]
  readonly limit: SessionLimit
}

/**
 * One lane of a recording on an engine, as a chain of legs. It is *running* while it has an open
 * leg, and *parked* while it has none and waits for room for its next one.
 */
export interface Chain {
  /** Job and lane, as `<jobId>/<lane>`; the lane is a number from 0. */
  readonly id: string
  /** The worker process that runs the lane. */
  readonly worker: string
  /** Multiple of real time; 0 for as fast as the engine goes, which plans count at its peak. */
  readonly pace: number
  /** Whether it is a live session: those are counted against the live share. */
  readonly live: boolean
  /** Oldest first: legs that hold a session, then planned legs. */
  readonly legs: readonly PlannedLeg[]
  /** Audio after the last of `legs`, in frames, for which no legs are planned yet. */
  readonly restFrames: number
  /** Since when it has been parked; null while it isn't. */
  readonly parkedSinceMs: number | null
}

/** A leg with its times: a lease once it is open, a reservation before. */
export interface PlannedLeg {
  /** Number of the leg in its chain, from 0. */
  readonly index: number
  /** Whether it is a lease: it may hold a session from `openMs` until it leaves the ledger. */
  readonly open: boolean
  readonly openMs: number
  /** When its first frame is due. */
  readonly startMs: number
  readonly frames: number
  /**
   * How far its sender was behind its planned curve when it last told, in ms; 0 when it is on time.
   * It never catches up. While a lease is late, no lease of the engine takes a new block without
   * asking.
   */
  readonly behindMs: number
  /** The frame that its sender waits for permission to send; null while it isn't stopped. */
  readonly stoppedFrame: number | null
}

/** What was learned about an engine's limits, beside its resources. */
export interface SessionLimit {
  /** The compute knee: the most lanes at a time; null while lag keeps its bound. */
  readonly knee: number | null
  /** When the knee was last moved, or lag last broke its bound: see `nextKnee`. */
  readonly kneeMovedMs: number
  /** One for each eviction from a full engine: at most `lanes` lanes hold sessions until then. */
  readonly penalties: readonly { readonly lanes: number; readonly untilMs: number }[]
  /** KV blocks that the engine holds beyond the KV law, as measured; all sessions together. */
  readonly correctionBlocks: number
}

/** No lane on the engine, and nothing learned about its limits. */
export const EMPTY_LEDGER: Ledger = {
  chains: [],
  limit: { knee: null, kneeMovedMs: 0, penalties: [], correctionBlocks: 0 },
}
