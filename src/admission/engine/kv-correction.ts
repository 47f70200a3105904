/** One comparison of the KV law with an engine's own gauge; about one a second. */
export interface KvSample {
  /** The store's clock; it goes back when the store fails over to a server that is behind. */
  readonly atMs: number
  /** Blocks by the law, without a correction; all workers' sessions of the engine together. */
  readonly predictedBlocks: number
  /** Blocks by the engine's gauge; null when it wasn't reached or doesn't tell. */
  readonly measuredBlocks: number | null
  /** When a session was last opened or closed, by the store's clock. */
  readonly changedMs: number
  /** Sessions of other clients on the engine; null: not known, and taken for none. */
  readonly foreignSessions: number | null
}

/**
 * The result of all comparisons so far. Begins with `NO_CORRECTION`. Two modes: *watching*, while
 * samples gather; *settled*, once they cover 5 s in which no session opened or closed. Only settled
 * samples move the correction. An open or a close, another client's session, a missing gauge, a gap
 * between samples or a clock that goes back starts the watching again.
 */
export interface KvCorrection {
  /** Blocks held beyond the law; never below 0: a law that predicts too many is no danger. */
  readonly correctionBlocks: number
  /** Measured less predicted blocks at the last sample; null without a gauge. A metric. */
  readonly errorBlocks: number | null
  /** Errors since the last open or close, oldest first; at most those of the last 5 s. */
  readonly quiet: readonly { readonly atMs: number; readonly errorBlocks: number }[]
  /** Since when samples have gathered without an open or close. */
  readonly quietSinceMs: number
  /** When the correction was last confirmed or moved: it falls no sooner than 10 s later. */
  readonly confirmedMs: number
}

/** The state before the first comparison. */
export const NO_CORRECTION: KvCorrection = {
  correctionBlocks: 0,
  errorBlocks: null,
  quiet: [],
  quietSinceMs: 0,
  confirmedMs: 0,
}

/** Errors count only after 5 s in which no session opened or closed. */
const QUIET_MS = 5_000
/** Samples further apart than this begin a new series: a change between them could be missed. */
const GAP_MS = 2_500
/** The correction falls by one block after 10 s in which a smaller one was enough. */
const LOWER_AFTER_MS = 10_000

/**
 * Takes a sample. The correction is the least error of the last 5 s: a gauge that was read a step
 * early or late is wrong for a moment only, so its error isn't the least. It rises at once, because
 * a full engine is deadlocked; it falls by one block every 10 s.
 */
export function nextCorrection(state: KvCorrection, sample: KvSample): KvCorrection {
  const { atMs, measuredBlocks, changedMs, foreignSessions } = sample
  const last = state.quiet.at(-1)
  if (measuredBlocks === null) return { ...state, errorBlocks: null, quiet: [] }
  const errorBlocks = measuredBlocks - sample.predictedBlocks
  if ((foreignSessions ?? 0) > 0) return { ...state, errorBlocks, quiet: [] }
  const gapMs = last === undefined ? Number.POSITIVE_INFINITY : atMs - last.atMs
  const goesOn = gapMs >= 0 && gapMs <= GAP_MS && changedMs <= state.quietSinceMs
  const quiet = [...(goesOn ? state.quiet : []), { atMs, errorBlocks }].filter(
    (entry) => atMs - entry.atMs <= QUIET_MS,
  )
  const quietSinceMs = goesOn ? state.quietSinceMs : atMs
  const confirmedMs = Math.min(state.confirmedMs, atMs)
  const watched = { ...state, errorBlocks, quiet, quietSinceMs, confirmedMs }
  if (atMs - quietSinceMs < QUIET_MS) return watched
  const least = Math.min(...quiet.map((entry) => entry.errorBlocks))
  return settle(watched, atMs, Math.max(0, least))
}

function settle(state: KvCorrection, atMs: number, shortBlocks: number): KvCorrection {
  const { correctionBlocks, confirmedMs } = state
  if (shortBlocks >= correctionBlocks) {
    return { ...state, correctionBlocks: shortBlocks, confirmedMs: atMs }
  }
  if (atMs - confirmedMs < LOWER_AFTER_MS) return state
  return { ...state, correctionBlocks: correctionBlocks - 1, confirmedMs: atMs }
}
