import type { SessionLimit } from '../ledger/ledger.js'

/** What all workers of an engine measure, taken together. */
export interface KneeSight {
  /** The greatest p99 of lag of all workers over the last second or so; null without deltas. */
  readonly lagP99Ms: number | null
  /** Lanes that hold a session. */
  readonly lanes: number
  readonly nowMs: number
}

/** Lag must be above its bound for 15 s, from the first time on, before lanes are taken away. */
const LAST_MS = 15_000
/** The very first time counts only if lag is above the bound again, 4 to 15 s later. */
const CONFIRM_MS = 4_000
/** A time above the bound is forgotten after 60 s: lag must then last again for 15 s. */
const SIGN_MS = 60_000
/** While more lanes run than the knee allows, the 15 s begin again every 5 s. */
const ON_ITS_WAY_MS = 5_000
/** Share of the lanes that one step takes away. */
const LOWER_SHARE = 0.05
/** Largest share that one step takes away, where far fewer lanes run than the knee allows. */
const FOLLOW_SHARE = 0.2
/** The knee rises by one lane after 5 min with low lag. */
const RAISE_AFTER_MS = 300_000
/** Lag is low at or below this share of the bound. */
const QUIET_SHARE = 0.5
/** A knee is forgotten after 30 min with at most half of its lanes running. */
const FORGET_AFTER_MS = 1_800_000

/**
 * Moves the compute knee: the number of lanes above which an engine falls behind, found by the lag
 * of its deltas. It guards against load that the models of blocks and steps don't know.
 *
 * - No knee: lag has kept its bound. When it breaks the bound twice, 4 to 15 s apart, the knee is
 *   set to the number of lanes that run: no lane is admitted, no lane has to pause.
 * - Lag above the bound for 15 s: the knee falls by 5 %, and again 15 s after the lanes above it
 *   have paused. Lanes pause at their next change of legs, so that takes a while.
 * - Lag at or below half the bound for 5 min, with all lanes of the knee running: one lane more. A
 *   higher knee is tried seldom and by one lane, so it stays near the engine's real limit.
 * - At most half of the knee's lanes running for 30 min: the knee is forgotten.
 *
 * `kneeMovedMs` is also set when lag breaks the bound and the knee doesn't move: it is the start of
 * the times above.
 *
 * @param bound.boundMs the setting `admission.kneeLagMs`, with the engine's `deltaDelayMs` added
 */
export function nextKnee(
  limit: SessionLimit,
  sight: KneeSight,
  bound: { boundMs: number },
): SessionLimit {
  const { lagP99Ms } = sight
  if (lagP99Ms !== null && lagP99Ms > bound.boundMs) return afterBreak(limit, sight)
  return afterKept(limit, sight, lagP99Ms !== null && lagP99Ms <= bound.boundMs * QUIET_SHARE)
}

function afterBreak(limit: SessionLimit, { lanes, nowMs }: KneeSight): SessionLimit {
  const { knee, kneeMovedMs } = limit
  const sinceMs = nowMs - kneeMovedMs
  if (knee === null) {
    // A single bad second sets no knee: a worker may have been busy, or many lanes may have begun.
    if (sinceMs > LAST_MS) return moved(limit, null, nowMs)
    return sinceMs < CONFIRM_MS ? limit : moved(limit, Math.max(1, lanes), nowMs)
  }
  if (sinceMs > SIGN_MS) return moved(limit, knee, nowMs)
  if (lanes > knee) return sinceMs < ON_ITS_WAY_MS ? limit : moved(limit, knee, nowMs)
  if (sinceMs < LAST_MS) return limit
  const less = knee - Math.max(1, Math.floor(knee * LOWER_SHARE))
  const followed = Math.max(lanes, Math.ceil(knee * (1 - FOLLOW_SHARE)))
  return moved(limit, Math.max(1, Math.min(less, followed)), nowMs)
}

function afterKept(
  limit: SessionLimit,
  { lanes, nowMs }: KneeSight,
  isQuiet: boolean,
): SessionLimit {
  const { knee, kneeMovedMs } = limit
  if (knee === null) return limit
  const sinceMs = nowMs - kneeMovedMs
  if (lanes * 2 <= knee && sinceMs >= FORGET_AFTER_MS) return moved(limit, null, nowMs)
  const isTried = isQuiet && lanes >= knee
  return isTried && sinceMs >= RAISE_AFTER_MS ? moved(limit, knee + 1, nowMs) : limit
}

function moved(limit: SessionLimit, knee: number | null, nowMs: number): SessionLimit {
  return { ...limit, knee, kneeMovedMs: nowMs }
}
