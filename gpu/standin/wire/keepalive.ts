import type WebSocket from 'ws'

/** Interval of pings in ms, and the time for an answer: 20 s each, as in uvicorn. */
const PING_EVERY_MS = 20_000

/** Pings all sockets of a server with one timer, and closes those that don't answer. */
export class Keepalive {
  private readonly unanswered = new Map<WebSocket, boolean>()
  private readonly timer: NodeJS.Timeout

  constructor(everyMs = PING_EVERY_MS) {
    this.timer = setInterval(() => this.pingAll(), everyMs)
  }

  /** Pings a socket until it closes. */
  add(socket: WebSocket): void {
    this.unanswered.set(socket, false)
    socket.on('pong', () => this.unanswered.set(socket, false))
    socket.on('close', () => this.unanswered.delete(socket))
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private pingAll(): void {
    for (const [socket, isUnanswered] of this.unanswered) {
      if (isUnanswered) {
        socket.close(1011, 'keepalive ping timeout')
        // Ended without waiting: a client that doesn't answer pings won't answer a close frame
        // either.
        socket.terminate()
      } else {
        this.unanswered.set(socket, true)
        socket.ping()
      }
    }
  }
}
