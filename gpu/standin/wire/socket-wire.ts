import type WebSocket from 'ws'
import type { Connection } from './connection.js'
import type { Wire } from './wire.js'

/**
 * Bytes of frames that the client hasn't read above which its session waits, as in vLLM's server.
 */
const UNREAD_BYTES_MAX = 64 * 1024

/** A WebSocket as a wire. */
export class SocketWire implements Wire {
  private readonly socket: WebSocket
  private connection: Connection | null = null
  private hasFilled = false

  constructor(socket: WebSocket) {
    this.socket = socket
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN
  }

  get isFull(): boolean {
    return this.hasFilled
  }

  send(frame: string): void {
    if (!this.isOpen) return
    this.socket.send(frame, this.onFlushed)
    this.hasFilled = this.socket.bufferedAmount > UNREAD_BYTES_MAX
  }

  close(code: number): void {
    if (code === 1006) this.socket.terminate()
    else this.socket.close(code)
  }

  /** Passes incoming frames to the connection from here on. */
  attach(connection: Connection): void {
    this.connection = connection
    const { socket } = this
    socket.on('message', (data, isBinary) => {
      // vLLM's receive loop knows only text: a binary frame ends it, and the connection with it.
      if (isBinary) socket.terminate()
      if (this.isOpen) connection.receive(data.toString())
    })
    socket.on('close', () => connection.end())
    // Ignored: a 'close' event follows, and the server doesn't need the reason.
    socket.on('error', () => {})
  }

  private readonly onFlushed = (): void => {
    if (!this.hasFilled || this.socket.bufferedAmount > UNREAD_BYTES_MAX) return
    this.hasFilled = false
    this.connection?.drained()
  }
}
