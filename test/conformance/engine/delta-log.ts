import type {
  EngineAddress,
  Transport,
  TransportEvent,
  TransportOpener,
} from '../../../src/realtime/index.js'
import { parseServerEvent } from '../../../src/realtime/wire-codec.js'

/** What came back on one socket; times are of the log's clock. */
export interface LoggedSession {
  readonly openedMs: number
  /** `done`, or the socket's end, whichever came first; null while it lives. */
  closedMs: number | null
  /** When each delta was received. */
  readonly deltasMs: number[]
}

/** Opens sockets by another opener, and notes when every session of them got what. */
export class DeltaLog implements TransportOpener {
  readonly sessions: LoggedSession[] = []
  private readonly opener: TransportOpener
  private readonly nowMs: () => number

  /** @param nowMs a clock that only goes forward */
  constructor(opener: TransportOpener, nowMs: () => number) {
    this.opener = opener
    this.nowMs = nowMs
  }

  async open(engine: EngineAddress, options: { signal: AbortSignal }): Promise<Transport> {
    const transport = await this.opener.open(engine, options)
    const session = { openedMs: this.nowMs(), closedMs: null, deltasMs: [] }
    this.sessions.push(session)
    return new LoggedTransport(transport, session, this.nowMs)
  }
}

class LoggedTransport implements Transport {
  private readonly transport: Transport
  private readonly session: LoggedSession
  private readonly nowMs: () => number

  constructor(transport: Transport, session: LoggedSession, nowMs: () => number) {
    this.transport = transport
    this.session = session
    this.nowMs = nowMs
  }

  get bufferedBytes(): number {
    return this.transport.bufferedBytes
  }

  send(text: string): void {
    this.transport.send(text)
  }

  async *events(): AsyncGenerator<TransportEvent> {
    for await (const event of this.transport.events()) {
      const { kind } = event.kind === 'message' ? parseServerEvent(event.text) : event
      if (kind === 'delta') this.session.deltasMs.push(this.nowMs())
      if (kind === 'done' || kind === 'closed') this.over()
      yield event
    }
  }

  close(): void {
    this.over()
    this.transport.close()
  }

  destroy(): void {
    this.over()
    this.transport.destroy()
  }

  private over(): void {
    this.session.closedMs ??= this.nowMs()
  }
}
