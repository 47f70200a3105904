import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import WebSocket, { WebSocketServer } from 'ws'
import { systemClock } from '../../src/kernel/clock.js'
import { ConfigError, reasonOf } from '../../src/kernel/errors.js'
import { systemRandom } from '../../src/kernel/random.js'
import { EngineLife } from './engine/engine-life.js'
import {
  DEFAULT_MODEL_ID,
  engineResources,
  type ResourceOptions,
} from './engine/engine-resources.js'
import { scaledClock } from './engine/scaled-clock.js'
import {
  DEFAULT_MAX_MODEL_LEN,
  DEFAULT_MAX_NUM_SEQS,
  type EngineDeath,
  type EngineStats,
} from './engine/standin-engine.js'
import type { Fault } from './faults/fault-kinds.js'
import type { RecognizerFactory } from './recognizers/recognizer.js'
import { Connection } from './wire/connection.js'
import { answerRequest, isAuthorized, pathOf, STANDIN_HEADERS } from './wire/http-routes.js'
import { Keepalive } from './wire/keepalive.js'
import { SocketWire } from './wire/socket-wire.js'

/** Options of a stand-in. */
export interface StandinOptions extends ResourceOptions {
  /** Started and closed by the stand-in. */
  recognizer: RecognizerFactory
  /** Port on 127.0.0.1; 0 (default) takes a free one. */
  port?: number
  /** Bearer key for everything under `/v1`; null (default): no key is needed. */
  key?: string | null
  modelId?: string
  /** Tokens of a session, including 39 of prompt. */
  maxModelLen?: number
  /** Utterances that generate at a time; more wait without an answer. */
  maxNumSeqs?: number
  /** Factor by which steps and waits of faults pass faster than real time; 1 by default. */
  timeScale?: number
  faults?: readonly Fault[]
}

/** A running stand-in. */
export interface Standin {
  readonly port: number
  /** `ws://127.0.0.1:<port>/v1/realtime` */
  readonly url: string
  /** Counts of the current engine process; a new process starts at 0. */
  readonly stats: EngineStats
  /** Resolves with `died` when a fault ended it for good, with `closed` after `close`. */
  readonly ended: Promise<'died' | 'closed'>
  /** Replaces the faults; existing connections keep theirs. */
  setFaults(faults: readonly Fault[]): void
  /** Kills the engine process now, as the fault `engine_death` does. */
  kill(death?: Partial<EngineDeath>): void
  /**
   * Closes every connection with 1012, as SIGTERM does. Resolves when the port is free; idempotent.
   */
  close(): Promise<void>
}

/**
 * Starts a stand-in engine on 127.0.0.1.
 * @throws ConfigError when the port is taken, the recognizer lacks a program, or the resources
 * can't be provided (see `engineResources`)
 */
export async function startStandin(options: StandinOptions): Promise<Standin> {
  const server = new StandinServer(options)
  await options.recognizer.start()
  try {
    await server.listen(options.port ?? 0)
  } catch (error) {
    await options.recognizer.close()
    throw error
  }
  return server
}

const REALTIME_PATH = '/v1/realtime'
const FRAME_BYTES_MAX = 16 * 1024 * 1024
/** How long, in ms, a client may take to answer a close frame before its connection is cut. */
const CLOSE_MS_MAX = 1000

/** A socket that gives the reason in vLLM's words when a frame is too large. */
class ServerSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    const tooLarge = code === 1009 && reason === undefined
    super.close(code, tooLarge ? `frame exceeds limit of ${FRAME_BYTES_MAX} bytes` : reason)
  }
}

/** One stand-in on one port, which is open while its engine lives (see `EngineLife`). */
class StandinServer implements Standin {
  readonly ended: Promise<'died' | 'closed'>
  private readonly key: string | null
  private readonly recognizer: RecognizerFactory
  private readonly life: EngineLife
  private readonly keepalive = new Keepalive()
  private readonly sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    WebSocket: ServerSocket,
  })
  private http: Server | null = null
  private boundPort = 0
  private closing: Promise<void> | null = null
  private resolveEnded: (how: 'died' | 'closed') => void = () => {}

  constructor(options: StandinOptions) {
    this.key = options.key ?? null
    this.recognizer = options.recognizer
    const settings = {
      ...engineResources(options),
      modelId: options.modelId ?? DEFAULT_MODEL_ID,
      maxModelLen: options.maxModelLen ?? DEFAULT_MAX_MODEL_LEN,
      maxNumSeqs: options.maxNumSeqs ?? DEFAULT_MAX_NUM_SEQS,
      recognizer: options.recognizer,
      clock: scaledClock(systemClock(), options.timeScale ?? 1),
      random: systemRandom(),
      defer: setImmediate,
    }
    this.life = new EngineLife(settings, options.faults ?? [], {
      down: () => this.stopListening(),
      // The port may be taken by another process meanwhile: the stand-in then stays down, as a real
      // server would.
      up: () => void this.listen(this.boundPort).catch(() => this.resolveEnded('died')),
      over: () => this.resolveEnded('died'),
    })
    this.sockets.on('headers', (headers) => {
      for (const [name, value] of Object.entries(STANDIN_HEADERS)) headers.push(`${name}: ${value}`)
    })
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve
    })
  }

  get port(): number {
    return this.boundPort
  }

  get url(): string {
    return `ws://127.0.0.1:${this.boundPort}${REALTIME_PATH}`
  }

  get stats(): EngineStats {
    return this.life.engine.stats
  }

  /** @throws ConfigError when the port can't be had */
  async listen(port: number): Promise<void> {
    const http = createServer((request, response) => {
      answerRequest(request, response, this.life.engine, this.key)
    })
    http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head))
    await new Promise<void>((resolve, reject) => {
      http.once('error', (error) => reject(portTaken(port, error)))
      http.listen(port, '127.0.0.1', resolve)
    })
    this.http = http
    this.boundPort = (http.address() as AddressInfo).port
  }

  setFaults(faults: readonly Fault[]): void {
    this.life.setFaults(faults)
  }

  kill(death: Partial<EngineDeath> = {}): void {
    this.life.kill(death)
  }

  close(): Promise<void> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {}) // the client may disconnect while it is refused
    if (!isAuthorized(request, this.key)) {
      refuseUpgrade(socket, 401, '{"error":"Unauthorized"}')
    } else if (pathOf(request) !== REALTIME_PATH) {
      refuseUpgrade(socket, 403)
    } else {
      this.accept(request, socket, head)
    }
  }

  private accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const faults = this.life.deal()
    const refusal = faults.of('refuse')
    if (refusal) {
      refuseUpgrade(socket, refusal.status)
      return
    }
    this.sockets.handleUpgrade(request, socket, head, (client) => {
      this.keepalive.add(client)
      const wire = new SocketWire(client)
      wire.attach(new Connection(wire, this.life.engine, faults))
    })
  }

  private stopListening(): void {
    this.http?.close()
    this.http?.closeAllConnections()
  }

  private async closeOnce(): Promise<void> {
    this.keepalive.stop()
    this.life.end()
    const { http } = this
    const cut = setTimeout(() => {
      for (const client of this.sockets.clients) client.terminate()
      http?.closeAllConnections()
    }, CLOSE_MS_MAX)
    // The callback of `close` comes once every connection has ended, also on a server that is down
    // already.
    await new Promise<void>((resolve) => (http ? http.close(() => resolve()) : resolve()))
    clearTimeout(cut)
    await this.recognizer.close()
    this.resolveEnded('closed')
  }
}

function refuseUpgrade(socket: Duplex, status: number, body = ''): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...Object.entries(STANDIN_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

function portTaken(port: number, error: Error): ConfigError {
  return new ConfigError(
    'config_invalid',
    `The stand-in can't listen on port ${port}: ${reasonOf(error)}; choose another with --port.`,
    { cause: error },
  )
}
