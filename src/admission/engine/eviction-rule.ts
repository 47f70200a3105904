import type { EngineActivity } from '../index.js'

/** The gauges by which a deadlock is told from other silence; null for what isn't known. */
export interface StalledGauges {
  /** Sessions that wait because there are more than `max_num_seqs`. */
  readonly waitingCapacity: number | null
  /** Share of the KV blocks that are held, 0 to 1. */
  readonly kvUsage: number | null
  /** The engine's number of KV blocks, `num_gpu_blocks`; one of them holds no session. */
  readonly kvBlocksTotal: number | null
}

/**
 * An engine of which all sessions are silent for 2 s counts as deadlocked if its KV cache may be
 * full; `deltaDelayMs` is added.
 */
export const SILENCE_MAX_MS = 2_000
/** The most KV blocks that a session can need for one step: for its first, with small blocks. */
const STEP_BLOCKS_MAX = 4

/**
 * Whether an engine is deadlocked: for longer than the bound, deltas have been due and no session
 * of any worker got one. vLLM doesn't report a deadlock: `/health` is good and its gauges don't
 * change. Sessions of other clients can fill it as well as ours.
 *
 * @param gauges null: not known; then silence alone decides
 * @param boundMs see `silenceBoundMs`
 */
export function deadlocked(
  activities: readonly EngineActivity[],
  gauges: StalledGauges | null,
  { boundMs }: { boundMs: number },
): boolean {
  if (silenceMs(activities) <= boundMs) return false
  return gauges === null || !waitsForSeats(gauges)
}

/**
 * How long, in ms, an engine may be silent before a session of it is evicted. An engine with room
 * in its KV cache is slow, or a network loses its answers: an eviction doesn't help it, and
 * recordings whose sessions are evicted again and again never end. So it may be silent as long as
 * one session.
 */
export function silenceBoundMs(
  gauges: StalledGauges | null,
  { stallTimeoutMs, deltaDelayMs }: { stallTimeoutMs: number; deltaDelayMs: number },
): number {
  const hasRoom = gauges !== null && hasRoomForStep(gauges)
  return (hasRoom ? Math.max(SILENCE_MAX_MS, stallTimeoutMs) : SILENCE_MAX_MS) + deltaDelayMs
}

/**
 * How long, in ms, no session of any worker has got a delta from an engine although one was due; 0
 * where none is due. A worker's report is some seconds old, so silence counts only up to the oldest
 * report of a worker with sessions: a late report makes the silence look shorter, never longer.
 */
export function silenceMs(activities: readonly EngineActivity[]): number {
  const withSessions = activities.filter(({ sessions }) => sessions > 0)
  const dueSinceMs = Math.min(...withSessions.map((activity) => activity.oldestDueMs ?? Infinity))
  if (dueSinceMs === Infinity) return 0
  // All workers count here: the newest delta may be of one whose last session has since closed.
  const heardMs = Math.max(...activities.map((activity) => activity.newestDeltaMs ?? -Infinity))
  const knownUntilMs = Math.min(...withSessions.map(({ atMs }) => atMs))
  return Math.max(0, knownUntilMs - Math.max(dueSinceMs, heardMs))
}

/**
 * Whether sessions wait for `max_num_seqs` only. They are silent, too, but go on by themselves, so
 * that is no deadlock. The gauge alone isn't enough, because gauges don't change in a deadlock:
 * where the KV cache is full as well, it is one.
 */
function waitsForSeats({ waitingCapacity, kvUsage, kvBlocksTotal }: StalledGauges): boolean {
  if (waitingCapacity === null || waitingCapacity === 0) return false
  if (kvUsage === null || kvBlocksTotal === null) return true
  return hasRoomForStep({ kvUsage, kvBlocksTotal })
}

/**
 * Whether the engine has the blocks for the next step of a session. Then it is silent for another
 * reason than a full KV cache, and fewer lanes would not help. False where that isn't known.
 */
export function hasRoomForStep(gauges: Pick<StalledGauges, 'kvUsage' | 'kvBlocksTotal'>): boolean {
  const { kvUsage, kvBlocksTotal } = gauges
  if (kvUsage === null || kvBlocksTotal === null) return false
  const kvBlocksFree = (1 - kvUsage) * (kvBlocksTotal - 1)
  return Math.round(kvBlocksFree) >= STEP_BLOCKS_MAX
}

/** A chain whose session could be evicted. */
export interface EvictableChain {
  readonly id: string
  readonly worker: string
  /** Whether it is a live session: a person waits for its text. */
  readonly live: boolean
  /** Frames that would have to be replayed in another session. */
  readonly redoFrames: number
  /** KV blocks that its session holds by the law; 0 before its first delta. */
  readonly kvBlocksHeld: number
}

/**
 * The chain that loses least by an eviction: recordings come before live sessions, then the chain
 * with the least audio to replay. A chain that holds no blocks is never evicted: it would release
 * none.
 *
 * @returns null when no chain holds blocks: then another client's sessions fill the engine
 */
export function chainToEvict(candidates: readonly EvictableChain[]): EvictableChain | null {
  const holding = candidates.filter(({ kvBlocksHeld }) => kvBlocksHeld > 0)
  return holding.reduce<EvictableChain | null>(
    (least, chain) => (least === null || losesLess(chain, least) ? chain : least),
    null,
  )
}

function losesLess(one: EvictableChain, other: EvictableChain): boolean {
  if (one.live !== other.live) return other.live
  if (one.redoFrames !== other.redoFrames) return one.redoFrames < other.redoFrames
  if (one.kvBlocksHeld !== other.kvBlocksHeld) return one.kvBlocksHeld > other.kvBlocksHeld
  return one.id < other.id // any fixed order: all workers choose the same chain
}
