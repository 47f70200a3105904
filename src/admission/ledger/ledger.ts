/**
 * What all workers have agreed on for one engine: who holds sessions now, who will hold them, and
 * how many there may be. One value in Redis, changed by compare-and-set. Times are ms of the
 * store's own clock (Unix epoch); lengths of audio are frames of 80 ms.
 */
export interface Ledger {
  readonly chains: readonly Chain[]
  readonly limit: SessionLimit
}

/**
 * One lane of a recording on its way through an engine, as a chain of legs. It is *carried* while
 * it has an open leg, and *parked* while it has none and waits for room for its next one.
 */
export interface Chain {
  /** `<jobId>/<lane>` */
  readonly id: string
  /** The worker process that carries it. */
  readonly worker: string
  /** Multiple of real time; 0 for as fast as the engine goes, which plans count at its peak. */
  readonly pace: number
  /** Live sessions are counted out of the live share. */
  readonly live: boolean
  /** Oldest first: those that hold a session, then those that are planned. */
  readonly legs: readonly PlannedLeg[]
  /** Audio after the last of `legs`, which will be cut when its time comes. */
  readonly restFrames: number
  /** Since when it has waited for room for its next leg; null while it has none to wait for. */
  readonly parkedSinceMs: number | null
}

/** A leg with its times: a lease once it is open, a reservation before. */
export interface PlannedLeg {
  /** 0-based, in its chain. */
  readonly index: number
  /** It holds a session, from `openMs` on until it is taken out of the ledger. */
  readonly open: boolean
  readonly openMs: number
  /** When its first frame is due. */
  readonly startMs: number
  readonly frames: number
  /**
   * How far its sender was behind its planned curve when it last told; 0 when it is on time. It
   * never catches that up. From then on nobody on the engine takes a new block without asking.
   */
  readonly behindMs: number
  /** The frame that its sender waits to be allowed to send; null while it goes on. */
  readonly stoppedFrame: number | null
}

/** How many lanes an engine may carry, beside what its resources allow. */
export interface SessionLimit {
  /** The compute knee: lanes at a time; null while lag has never broken its bound. */
  readonly knee: number | null
  /** When the knee was last moved. */
  readonly kneeMovedMs: number
  /** Of deadlocks that were freed: no more lanes than this hold sessions until then. */
  readonly penalties: readonly { readonly lanes: number; readonly untilMs: number }[]
  /** KV blocks that the law was found to be short of, over the whole engine. */
  readonly correctionBlocks: number
}

/** Nobody on the engine, nothing known against it. */
export const EMPTY_LEDGER: Ledger = {
  chains: [],
  limit: { knee: null, kneeMovedMs: 0, penalties: [], correctionBlocks: 0 },
}
