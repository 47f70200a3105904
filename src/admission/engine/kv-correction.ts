/** One comparison of the law with an engine's own figure; about one a second. */
export interface KvSample {
  /** The store's clock, which goes back when a store fails over to one that is behind. */
  readonly atMs: number
  /** The law alone over the deltas received, all sessions of the engine together. */
  readonly predictedBlocks: number
  /** What the engine says that sessions hold; null when it wasn't reached or doesn't tell. */
  readonly measuredBlocks: number | null
  /** When a session was last opened or closed, by the same clock. */
  readonly changedMs: number
  /** Sessions on the engine that aren't ours; null: not known, and taken for none. */
  readonly foreignSessions: number | null
}

/**
 * What comparing has shown. Start with `NO_CORRECTION`. Two modes: *watching*, while samples
 * gather; *settled*, once they cover `QUIET_MS` in which no session opened or closed. Only settled
 * samples move the correction. An open or a close, a session that isn't ours, a missing figure, a
 * gap between samples or a clock that goes back starts the watching again.
 */
export interface KvCorrection {
  /** Blocks that the law is short of; never below 0, for what is too many is no danger. */
  readonly correctionBlocks: number
  /** Measured less predicted at the last sample that could be compared; a metric. */
  readonly errorBlocks: number | null
  /** Errors of the quiet time until now, oldest first; not longer than `QUIET_MS`. */
  readonly quiet: readonly { readonly atMs: number; readonly errorBlocks: number }[]
  /** Since when the quiet time lasts. */
  readonly quietSinceMs: number
  /** When the correction was last right or last moved: it falls only long after. */
  readonly confirmedMs: number
}

/** Nothing has been compared yet. */
export const NO_CORRECTION: KvCorrection = {
  correctionBlocks: 0,
  errorBlocks: null,
  quiet: [],
  quietSinceMs: 0,
  confirmedMs: 0,
}

/** So long nobody may open or close a session before errors count. */
const QUIET_MS = 5_000
/** Samples further apart say nothing of the time between them. */
const GAP_MS = 2_500
/** The correction falls by one block when so long nothing has asked for it. */
const LOWER_AFTER_MS = 10_000

/**
 * Takes a sample. The least error of the quiet time is what the law was short of all the time: a
 * figure that is read a step early or late is off for a moment only. Upward at once, for an engine
 * that fills up stops for good; downward a block every 10 s.
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
