/** What a socket tells its one consumer. After `closed` nothing follows. */
export type TransportEvent =
  | { kind: 'message'; text: string }
  /** A binary frame, which no engine has a reason to send. */
  | { kind: 'binary'; bytes: number }
  /** `code` 1006 where the peer vanished without a close frame. */
  | { kind: 'closed'; code: number; reason: string }

/** One open WebSocket to an engine. Nothing here knows what the messages mean. */
export interface Transport {
  /** Queues one text frame; never waits. After the close it does nothing. */
  send(text: string): void
  /** Bytes accepted by `send` that the peer has not taken yet. */
  readonly bufferedBytes: number
  /** Every event in order; one consumer. Ends after `closed`. Never throws. */
  events(): AsyncIterable<TransportEvent>
  /** Starts the closing handshake; harmless twice. */
  close(): void
  /** Drops the socket at once, without a handshake. */
  destroy(): void
}

/** Opens sockets to engines. */
export interface TransportOpener {
  /**
   * @throws UpstreamError `engine_unavailable`, `engine_unauthorized` (401); the signal's reason
   */
  open(engine: EngineAddress, options: { signal: AbortSignal }): Promise<Transport>
}

/** Where an engine is and how to get in. */
export interface EngineAddress {
  /** `ws://host:port/v1/realtime` */
  url: string
  /** Bearer key, or null for an open engine. */
  key: string | null
}

/** What an engine says of itself. */
export interface EngineDescription {
  model: string
  /** In tokens, one every 80 ms; null where the server doesn't tell. */
  maxModelLen: number | null
  version: string | null
  /** True for our stand-in; then every result has to say so. */
  isStandin: boolean
  /** Time by which this engine holds deltas back beyond the model's own delay. */
  deltaDelayMs: number
}

/** The audio that one session carries: mono PCM16 at 16 kHz. */
export interface SessionAudio {
  /** Frames of 2560 bytes in order, the last one shorter. One consumer, which asks late: the end
   * of the audio may be moved while it is sent. */
  frames(options: { signal: AbortSignal }): AsyncIterable<Uint8Array>
}

/** Says when frames may be sent, where somebody counts what the engine holds. */
export interface SendPermission {
  /** When the first frame is due, by the clock of the session's runner. */
  readonly startMs: number
  /**
   * Called right before frame `index` is sent. Undefined: at once. A promise: when it resolves.
   */
  permit(index: number, nowMs: number, options: { signal: AbortSignal }): Promise<void> | undefined
}
