import type WebSocket from 'ws'

/** As uvicorn's: a ping every 20 s, and 20 s for the pong. */
const PING_EVERY_MS = 20_000

/** Pings all sockets of a server with one timer, and ends those that don't answer. */
export class Keepalive {
  private readonly unanswered = new Map<WebSocket, boolean>()
  private readonly timer: NodeJS.Timeout

  constructor(everyMs = PING_EVERY_MS) {
    this.timer = setInterval(() => this.pingAll(), everyMs)
  }

  /** Looks after a socket until it closes. */
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
        // Who doesn't answer a ping won't answer a close frame either.
        socket.terminate()
      } else {
        this.unanswered.set(socket, true)
        socket.ping()
      }
    }
  }
}
