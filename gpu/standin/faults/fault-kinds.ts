import type { WireErrorCode } from '../wire/server-event.js'

/**
 * When a connection is closed: instead of the greeting, of the answer to `session.update`, of a
 * delta, of what follows the final commit, or of `done`.
 */
export const CLOSE_MOMENTS = ['greeting', 'update', 'delta', 'final', 'done'] as const

/** One of them. */
export type CloseMoment = (typeof CLOSE_MOMENTS)[number]

/**
 * What can be made to go wrong, with the parameters of each and their defaults. `afterDeltas`
 * counts the deltas of an utterance, `afterAppends` and `afterBytes` what was appended to one.
 */
export const FAULT_DEFAULTS = {
  /**
   * The engine process dies: an error frame to whoever generates, 1012 to everybody `closeMs`
   * later, `/health` 503 and then nobody listens, for `downMs` or, when negative, for good.
   * `abrupt` 1 imitates a killed server: no frame, and 1006 at once. `term` 1 imitates one that is
   * told to stop: no error, and 1012 at once. Whoever generates gets `abortDeltas` empty deltas
   * first, as of requests that the engine process still had the time to abort.
   */
  engine_death: { afterDeltas: 100, closeMs: 260, downMs: -1, abrupt: 0, term: 0, abortDeltas: 0 },
  /** The connection is open, and nobody greets. */
  no_greeting: {},
  /** The connection is gone without a close frame: 1006. */
  drop: { afterDeltas: 100 },
  /** The connection is closed with this code; `afterDeltas` counts for `at=delta` alone. */
  close: { code: 1011, at: 'delta' as CloseMoment, afterDeltas: 100 },
  /** No frame comes any more; the socket stays open and everything else looks well. */
  stall: { afterDeltas: 100 },
  /** The generation ends with an error; the socket stays usable. */
  processing_error: { afterDeltas: 100 },
  /** One `error` frame of any code; nothing else happens. */
  error_frame: { code: 'processing_error' as WireErrorCode, afterDeltas: 100 },
  /** `session.update` is answered as for a model that isn't served. */
  refuse_model: {},
  /** `done` while the client is still sending. */
  early_done: { afterDeltas: 100 },
  /** All deltas come, `done` doesn't. */
  no_done: {},
  /** The upgrade is answered with this HTTP status. */
  refuse: { status: 503 },
  /** `session.update` is acknowledged with `session.updated`. */
  ack_update: {},
  /** The deltas after the last audio don't come, and what text they would have had is lost. */
  no_right_padding: {},
  /** So many empty deltas more than the audio explains come after these; `usage` knows of none. */
  extra_deltas: { afterDeltas: 100, more: 1 },
  /** One delta in so many ms at most. */
  slow_deltas: { everyMs: 200 },
  /** The deltas of this range are empty, whatever was said. */
  blank_rut: { fromDelta: 100, toDelta: 300 },
  /** So many appends are dropped and answered with `buffer_full`. */
  buffer_full: { afterAppends: 100, times: 10 },
  /** Every append beyond so many PCM bytes is dropped and answered with `invalid_audio`. */
  invalid_audio: { afterBytes: 1_000_000 },
  /** An error and a close when nothing was received for so long. */
  idle_timeout: { afterMs: 30_000 },
}

/** Every kind there is. */
export type FaultKind = keyof typeof FAULT_DEFAULTS

/** All parameters of one kind of fault. */
export type FaultParameters<K extends FaultKind> = Readonly<(typeof FAULT_DEFAULTS)[K]>

/** Whom a fault befalls; every connection when neither is given. */
export interface FaultTarget {
  /** 0-based numbers of connections, in the order of connecting, refused ones included. */
  readonly sessions?: readonly number[]
  /** How many connections at most, of those that it may befall. */
  readonly count?: number
}

/** One fault, as data; parameters that are left out have their defaults. */
export type Fault = {
  [K in FaultKind]: { readonly kind: K } & Partial<FaultParameters<K>> & FaultTarget
}[FaultKind]
