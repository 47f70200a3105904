import { createHash } from 'node:crypto'
import type {
  EngineAddress,
  Transport,
  TransportEvent,
  TransportOpener,
} from '../../../src/realtime/index.js'
import { parseServerEvent } from '../../../src/realtime/wire-codec.js'

/** What went out and came back on one socket; times are of the log's clock. */
export interface LoggedSession {
  readonly openedMs: number
  /** `done`, or the socket's end, whichever came first; null while it lives. */
  closedMs: number | null
  /** The engine came to the end of the audio, and said so. */
  isDone: boolean
  /** The name of every frame of audio that was sent, in order; see `frameName`. */
  readonly sent: string[]
  /** When each delta was received. */
  readonly deltasMs: number[]
  /** What each brought, nothing included. */
  readonly texts: string[]
}

/** By its samples alone, so that a frame is known again wherever it turns up. */
export function frameName(pcm: Uint8Array): string {
  return createHash('sha1').update(pcm).digest('base64')
}

/** Opens sockets by another opener, and notes what every session of them sent and got, and when. */
export class SessionLog implements TransportOpener {
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
    const session: LoggedSession = {
      ...{ openedMs: this.nowMs(), closedMs: null, isDone: false },
      ...{ sent: [], deltasMs: [], texts: [] },
    }
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
    const { audio } = JSON.parse(text) as { audio?: string }
    if (audio !== undefined) this.session.sent.push(frameName(Buffer.from(audio, 'base64')))
    this.transport.send(text)
  }

  async *events(): AsyncGenerator<TransportEvent> {
    for await (const event of this.transport.events()) {
      const heard = event.kind === 'message' ? parseServerEvent(event.text) : event
      if (heard.kind === 'delta') {
        this.session.deltasMs.push(this.nowMs())
        this.session.texts.push(heard.text)
      }
      if (heard.kind === 'done') this.session.isDone = true
      if (heard.kind === 'done' || heard.kind === 'closed') this.over()
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
