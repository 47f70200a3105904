/** What a socket reports to its one consumer. After `closed` nothing follows. */
export type TransportEvent =
  | { kind: 'message'; text: string }
  /**
   * A binary frame. No engine has a reason to send one: the session treats it as a protocol error.
   */
  | { kind: 'binary'; bytes: number }
  /** The socket closed; `code` is 1006 where the peer vanished without a close frame. */
  | { kind: 'closed'; code: number; reason: string }

/** One open WebSocket to an engine. Nothing here knows what the messages mean. */
export interface Transport {
  /** Queues one text frame and returns at once. Does nothing after the close. */
  send(text: string): void
  /** Bytes that `send` has accepted and the peer has not taken yet. */
  readonly bufferedBytes: number
  /** Every event in order; one consumer. Ends after `closed`. Never throws. */
  events(): AsyncIterable<TransportEvent>
  /** Starts the closing handshake. Calling it twice is harmless. */
  close(): void
  /** Drops the socket at once, without a closing handshake. */
  destroy(): void
}

/** Opens sockets to engines. */
export interface TransportOpener {
  /**
   * @throws UpstreamError `engine_unavailable`, or `engine_unauthorized` for HTTP 401; the signal's
   * reason after an abort
   */
  open(engine: EngineAddress, options: { signal: AbortSignal }): Promise<Transport>
}

/** Address of an engine and the key for it. */
export interface EngineAddress {
  /** `ws://host:port/v1/realtime` */
  url: string
  /** Bearer key; null for an engine without a key. */
  key: string | null
}

/** What an engine says of itself. */
export interface EngineDescription {
  model: string
  /** Longest session in tokens, one every 80 ms; null when the server doesn't report it. */
  maxModelLen: number | null
  version: string | null
  /** True for our stand-in: every result of it must say so. */
  isStandin: boolean
  /** How long, in ms, this engine holds deltas back beyond the model's own delay. */
  deltaDelayMs: number
}

/** The audio that one session transcribes: mono PCM16 at 16 kHz. */
export interface SessionAudio {
  /**
   * Frames of 2560 bytes (80 ms) in order, the last one shorter. One consumer. It asks for each
   * frame right before sending it, because the end of the audio may move while it is sent.
   */
  frames(options: { signal: AbortSignal }): AsyncIterable<Uint8Array>
}

/** Decides when frames may be sent, for engines whose KV cache load is counted in a ledger. */
export interface SendPermission {
  /** When the first frame is due, in ms on the clock of the session's runner. */
  readonly startMs: number
  /**
   * Called right before frame `index` is sent. Undefined: send at once. A promise: send when it
   * resolves.
   */
  permit(index: number, nowMs: number, options: { signal: AbortSignal }): Promise<void> | undefined
}
