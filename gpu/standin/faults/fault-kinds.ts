import type { WireErrorCode } from '../wire/server-event.js'

/**
 * Moments at which a fault closes a connection: in place of the greeting, of the answer to
 * `session.update`, of a delta, of what follows the final commit, or of `done`.
 */
export const CLOSE_MOMENTS = ['greeting', 'update', 'delta', 'final', 'done'] as const

/** A moment at which a fault closes a connection. */
export type CloseMoment = (typeof CLOSE_MOMENTS)[number]

/**
 * Every fault, with its parameters and their defaults. `afterDeltas` counts the deltas of an
 * utterance; `afterAppends` and `afterBytes` count its appended audio.
 */
export const FAULT_DEFAULTS = {
  /**
   * The engine process dies: an error frame to every generating session, close code 1012 to all
   * connections `closeMs` later, `/health` 503, then connections are refused for `downMs`, or for
   * good when negative. `abrupt` 1 imitates a killed server: no frame, and 1006 at once. `term` 1
   * imitates a server that is told to stop: no error, and 1012 at once. Generating sessions get
   * `abortDeltas` empty deltas first, as of requests that the engine process still aborted.
   */
  engine_death: { afterDeltas: 100, closeMs: 260, downMs: -1, abrupt: 0, term: 0, abortDeltas: 0 },
  /** The connection is open, but no `session.created` comes. */
  no_greeting: {},
  /** The connection is cut without a close frame: 1006. */
  drop: { afterDeltas: 100 },
  /** The connection is closed with this code. `afterDeltas` counts only with `at=delta`. */
  close: { code: 1011, at: 'delta' as CloseMoment, afterDeltas: 100 },
  /** No frame comes any more, while the socket stays open and `/health` is 200. */
  stall: { afterDeltas: 100 },
  /** The generation ends with an error; the socket stays usable. */
  processing_error: { afterDeltas: 100 },
  /** One `error` frame with any code; nothing else changes. */
  error_frame: { code: 'processing_error' as WireErrorCode, afterDeltas: 100 },
  /** `session.update` is answered as for a model that isn't served. */
  refuse_model: {},
  /** `done` comes while the client is still sending. */
  early_done: { afterDeltas: 100 },
  /** All deltas come, but no `done`. */
  no_done: {},
  /** The upgrade is answered with this HTTP status. */
  refuse: { status: 503 },
  /** `session.update` is acknowledged with `session.updated`. */
  ack_update: {},
  /** The deltas after the last audio don't come, and their text is lost. */
  no_right_padding: {},
  /**
   * `more` empty deltas that the audio doesn't explain come after `afterDeltas`; `usage` doesn't
   * count them.
   */
  extra_deltas: { afterDeltas: 100, more: 1 },
  /** At most one delta every `everyMs` ms. */
  slow_deltas: { everyMs: 200 },
  /** The deltas of this range are empty, whatever was said. */
  blank_run: { fromDelta: 100, toDelta: 300 },
  /** `times` appends after the first `afterAppends` are dropped and answered with `buffer_full`. */
  buffer_full: { afterAppends: 100, times: 10 },
  /** Appends beyond `afterBytes` PCM bytes are dropped and answered with `invalid_audio`. */
  invalid_audio: { afterBytes: 1_000_000 },
  /** An error and a close when nothing was received for `afterMs`. */
  idle_timeout: { afterMs: 30_000 },
}

/** Every kind of fault. */
export type FaultKind = keyof typeof FAULT_DEFAULTS

/** All parameters of one kind of fault. */
export type FaultParameters<K extends FaultKind> = Readonly<(typeof FAULT_DEFAULTS)[K]>

/** The connections that a fault applies to; all when neither field is given. */
export interface FaultTarget {
  /** 0-based numbers of connections in the order of connecting, including refused ones. */
  readonly sessions?: readonly number[]
  /** The most connections that it is applied to, among those it may apply to. */
  readonly count?: number
}

/** One fault as data; missing parameters have their defaults. */
export type Fault = {
  [K in FaultKind]: { readonly kind: K } & Partial<FaultParameters<K>> & FaultTarget
}[FaultKind]
