import type { SessionLimit } from '../ledger/ledger.js'

/** What the workers of an engine see of it, all together. */
export interface KneeSight {
  /** The worst p99 of lag that a worker saw over the last seconds; null without deltas. */
  readonly lagP99Ms: number | null
  /** Lanes that hold a session. */
  readonly lanes: number
  readonly nowMs: number
}

/** Lag has to break its bound for so long, from the first sign on, before lanes are taken away. */
const LAST_MS = 15_000
/** The first one of all must come again after so long, and before that is over. */
const CONFIRM_MS = 4_000
/** A sign is forgotten after so long: what comes then has to last again. */
const SIGN_MS = 60_000
/** While more lanes run than may, the wait for what fewer of them do starts again so often. */
const ON_ITS_WAY_MS = 5_000
/** Share of the lanes that is taken away at a time. */
const LOWER_SHARE = 0.05
/** Where far fewer lanes run than may and lag still breaks, at most so much at a time. */
const FOLLOW_SHARE = 0.2
/** One more lane when it has been quiet for so long. */
const RAISE_AFTER_MS = 300_000
/** Quiet is below this share of the bound. */
const QUIET_SHARE = 0.5
/** A limit that is far above what runs says nothing any more after so long. */
const FORGET_AFTER_MS = 1_800_000

/**
 * Moves the compute knee: how many lanes an engine carries before it falls behind, found out by
 * what lag does. It catches what the models of blocks and steps don't know.
 *
 * - no knee: lag has kept its bound. When it doesn't, twice within 15 s, as many lanes as run are
 *   the knee: nobody comes in, nobody has to go.
 * - lag breaks the bound: when it lasts for 15 s, 5 % of the lanes go; and again, 15 s after they
 *   have gone (they go at their next change-over, so that takes a while).
 * - lag is below half the bound for 5 min with as many lanes as may: one more. A knee that was too
 *   high once is tried seldom and by one lane, so that it stays near where it belongs.
 * - half as many lanes as may run for 30 min: forgotten.
 *
 * The first sign and the way down are kept in `kneeMovedMs`, which is set without the knee moving.
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
  return afterCalm(limit, sight, lagP99Ms !== null && lagP99Ms <= bound.boundMs * QUIET_SHARE)
}

function afterBreak(limit: SessionLimit, { lanes, nowMs }: KneeSight): SessionLimit {
  const { knee, kneeMovedMs } = limit
  const sinceMs = nowMs - kneeMovedMs
  if (knee === null) {
    // One bad second, of a worker that was busy or while lanes come back, says nothing.
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

function afterCalm(
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
