import type { EngineActivity } from '../index.js'

/** What an engine's own gauges tell that matters here; null for what isn't known. */
export interface StalledGauges {
  /** Sessions that wait because there are more than `max_num_seqs`. */
  readonly waitingCapacity: number | null
  /** Share of the KV blocks that are held, 0 to 1. */
  readonly kvUsage: number | null
  /** `num_gpu_blocks` */
  readonly kvBlocksTotal: number | null
}

/**
 * Silence of a whole engine after which it is deadlocked, if its cache may be full; `deltaDelayMs`
 * is added.
 */
export const SILENCE_MAX_MS = 2_000
/** The most blocks that one step of a session can need at once: its first, with small blocks. */
const STEP_BLOCKS_MAX = 4

/**
 * Whether an engine has stopped for good: for longer than the bound frames have been due an answer,
 * and no session of any worker got one. vLLM itself tells nothing: it is healthy and its gauges
 * stand still, also when it was somebody else's sessions that filled it.
 *
 * @param gauges null: not known, then silence alone decides
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
 * Silence that an engine may keep before a session of it is closed. One with room in its cache is
 * slow, or a network swallows what it says: closing a session frees nothing there, and recordings
 * whose sessions are closed over and over never get anywhere. So it has as long as one session.
 */
export function silenceBoundMs(
  gauges: StalledGauges | null,
  { stallTimeoutMs, deltaDelayMs }: { stallTimeoutMs: number; deltaDelayMs: number },
): number {
  const hasRoom = gauges !== null && hasRoomForStep(gauges)
  return (hasRoom ? Math.max(SILENCE_MAX_MS, stallTimeoutMs) : SILENCE_MAX_MS) + deltaDelayMs
}

/**
 * For how long no session of any worker has heard from an engine although frames were due; 0 where
 * none is due. What each worker knows is as old as its pulse, so silence counts only until the
 * oldest pulse of a worker with sessions: one that is late to tell delays the answer, and never
 * makes a wrong one.
 */
export function silenceMs(activities: readonly EngineActivity[]): number {
  const carrying = activities.filter(({ sessions }) => sessions > 0)
  const dueSinceMs = Math.min(...carrying.map((activity) => activity.oldestDueMs ?? Infinity))
  if (dueSinceMs === Infinity) return 0
  // A worker whose last session has just closed may be the one that heard last.
  const heardMs = Math.max(...activities.map((activity) => activity.newestDeltaMs ?? -Infinity))
  const knownUntilMs = Math.min(...carrying.map(({ atMs }) => atMs))
  return Math.max(0, knownUntilMs - Math.max(dueSinceMs, heardMs))
}

/**
 * Sessions above `max_num_seqs` wait, too, and go on by themselves. They say so in the gauges,
 * which stand still in a deadlock: where the cache is full as well, it is one.
 */
function waitsForSeats({ waitingCapacity, kvUsage, kvBlocksTotal }: StalledGauges): boolean {
  if (waitingCapacity === null || waitingCapacity === 0) return false
  if (kvUsage === null || kvBlocksTotal === null) return true
  return hasRoomForStep({ kvUsage, kvBlocksTotal })
}

/**
 * Whether the engine says that whoever steps next can have the blocks for it: then it is silent for
 * another reason than a full cache, and fewer lanes would mend nothing. False where it isn't known.
 */
export function hasRoomForStep(gauges: Pick<StalledGauges, 'kvUsage' | 'kvBlocksTotal'>): boolean {
  const { kvUsage, kvBlocksTotal } = gauges
  if (kvUsage === null || kvBlocksTotal === null) return false
  const kvBlocksFree = (1 - kvUsage) * (kvBlocksTotal - 1)
  return Math.round(kvBlocksFree) >= STEP_BLOCKS_MAX
}

/** A chain whose session could be closed. */
export interface EvictableChain {
  readonly id: string
  readonly worker: string
  /** Somebody is listening. */
  readonly live: boolean
  /** Audio that another session would have to hear again, from the last safe cut on. */
  readonly redoFrames: number
  /** What its sessions hold by the law; 0 before their first delta. */
  readonly kvBlocksHeld: number
}

/**
 * The chain with the least to lose: recordings before live sessions, and of them the one with the
 * least audio to hear again. To the engine any of them is as good that holds blocks: one that holds
 * none frees none, and waits like all others.
 *
 * @returns null when nobody holds anything: then it is somebody else who fills the engine
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
  return one.id < other.id // all workers find the same one
}
