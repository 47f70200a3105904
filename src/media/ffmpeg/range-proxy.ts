import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../kernel/clock.js'
import { StopRequested } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import type { MediaSource } from '../index.js'
import { PinnedReader } from '../pinned-reader.js'
import { rangeAnswer } from './http-range.js'

/** One source behind the proxy; disposing it ends its requests and removes its URL. */
export interface ServedSource extends Disposable {
  /** URL for ffmpeg, with a random token; valid until this is disposed. */
  url: string
  reader: PinnedReader
}

interface Route {
  reader: PinnedReader
  controller: AbortController
}

/**
 * A web server on the loopback interface that turns the range requests of ffmpeg and ffprobe into
 * reads of a `MediaSource`. It serves every container, because some (an m4a with its index at the
 * end) can only be decoded with seeks. ffmpeg's exit code doesn't show that a source broke, so its
 * caller must check `reader.failure`.
 *
 * Open: sources can be added and are served. Closed: all requests were ended; adding throws.
 */
export class RangeProxy implements AsyncDisposable {
  private readonly server: Server
  private readonly clock: Clock
  private readonly random: Random
  private readonly routes = new Map<string, Route>()
  private port = 0

  private constructor(options: { clock: Clock; random: Random }) {
    this.clock = options.clock
    this.random = options.random
    this.server = createServer((request, response) => void this.answer(request, response))
  }

  /** Listens on a free port of 127.0.0.1. */
  static async listen(options: { clock: Clock; random: Random }): Promise<RangeProxy> {
    const proxy = new RangeProxy(options)
    await new Promise<void>((resolve, reject) => {
      proxy.server.once('error', reject)
      proxy.server.listen({ host: '127.0.0.1', port: 0 }, resolve)
    })
    proxy.port = (proxy.server.address() as AddressInfo).port
    proxy.server.unref()
    return proxy
  }

  /** Serves `source` under an address of its own; `retriesMax` as in `PinnedReaderOptions`. */
  open(source: MediaSource, options: { retriesMax?: number } = {}): ServedSource {
    if (!this.server.listening) throw new StopRequested('canceled', 'The range proxy was closed.')
    const token = this.random.hexId(16)
    const route = {
      reader: new PinnedReader(source, { clock: this.clock, ...options }),
      controller: new AbortController(),
    }
    this.routes.set(token, route)
    return {
      url: `http://127.0.0.1:${this.port}/${token}`,
      reader: route.reader,
      [Symbol.dispose]: () => {
        this.routes.delete(token)
        route.controller.abort(new StopRequested('canceled', 'The source is no longer served.'))
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new StopRequested('canceled', 'The range proxy was closed.')
    for (const route of this.routes.values()) route.controller.abort(reason)
    this.routes.clear()
    if (!this.server.listening) return
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve())
      this.server.closeAllConnections()
    })
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = this.routes.get((request.url ?? '').slice(1))
    if (!route) return plain(response, 404)
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405)
    const { bytes } = route.reader.source
    const range = rangeAnswer(request.headers.range, bytes)
    response.setHeader('Accept-Ranges', 'bytes')
    response.setHeader('Content-Type', 'application/octet-stream')
    if (range.kind === 'unsatisfiable') {
      response.setHeader('Content-Range', `bytes */${bytes}`)
      return plain(response, 416)
    }
    const startByte = range.kind === 'part' ? range.startByte : 0
    const endByte = range.kind === 'part' ? range.endByte : bytes
    if (range.kind === 'part') {
      response.setHeader('Content-Range', `bytes ${startByte}-${endByte - 1}/${bytes}`)
    }
    response.setHeader('Content-Length', endByte - startByte)
    response.writeHead(range.kind === 'part' ? 206 : 200)
    if (request.method === 'HEAD') response.end()
    else await sendBody(route, { startByte, endByte }, response)
  }
}

async function sendBody(
  route: Route,
  range: { startByte: number; endByte: number },
  response: ServerResponse,
): Promise<void> {
  const controller = new AbortController()
  const stop = () => controller.abort(new StopRequested('canceled', 'The reader went away.'))
  response.once('close', stop)
  route.controller.signal.addEventListener('abort', stop, { once: true })
  try {
    await pipeline(route.reader.read(range, { signal: controller.signal }), response)
  } catch {
    // Ignored: the reader keeps a failure of the source, and a client that closes is ffmpeg
    // seeking. In both cases `pipeline` has broken the connection, so that ffmpeg can't take a
    // short body for a complete one.
  } finally {
    response.off('close', stop)
    route.controller.signal.removeEventListener('abort', stop)
  }
}

function plain(response: ServerResponse, statusCode: number): void {
  response.setHeader('Content-Length', 0)
  response.writeHead(statusCode)
  response.end()
}
