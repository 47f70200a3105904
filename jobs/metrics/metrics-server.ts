import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { orAbort } from '../../src/kernel/abort.js'
import { ConfigError, reasonOf } from '../../src/kernel/errors.js'
import type { MetricRegistry } from '../../src/latency/metric-registry.js'

/** Most connections at a time; Prometheus needs one. */
const CONNECTIONS_MAX = 32
/** A client that sends nothing for this long is dropped, in ms. */
const REQUEST_TIMEOUT_MS = 10_000

/** The metrics to serve, and the address to serve them at. */
export interface MetricsServerOptions {
  registry: MetricRegistry
  /** Updates the metrics that are read and not counted; called before each answer. */
  update(options: { signal: AbortSignal }): Promise<void>
  host: string
  /** 0: any free port. */
  port: number
}

/** A running server; disposing it closes it. */
export interface MetricsServer extends AsyncDisposable {
  readonly port: number
}

/**
 * Serves `/metrics` in the Prometheus text format, and nothing else.
 * @throws ConfigError when the address can't be listened on; the signal's reason
 */
export async function serveMetrics(
  options: MetricsServerOptions,
  { signal }: { signal: AbortSignal },
): Promise<MetricsServer> {
  const ended = new AbortController()
  const server = createServer((request, response) => {
    // An update fails only when the worker ends: the request is dropped.
    answer(request, response, options, ended.signal).catch(() => response.destroy())
  })
  server.maxConnections = CONNECTIONS_MAX
  server.requestTimeout = REQUEST_TIMEOUT_MS
  const { host, port } = options
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const close = async () => {
    ended.abort()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  try {
    await orAbort(listening, signal)
  } catch (error) {
    await close()
    signal.throwIfAborted()
    throw new ConfigError(
      'config_invalid',
      `Metrics can't be served at ${host}:${port} (${reasonOf(error)}); set metrics.port (NIGHTSCRIBE_METRICS_PORT) to one that is free, or to none.`,
      { cause: error, facts: { setting: 'metrics.port', port } },
    )
  }
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { registry, update }: MetricsServerOptions,
  signal: AbortSignal,
): Promise<void> {
  request.resume()
  const path = (request.url ?? '').replace(/\?.*$/s, '')
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (path !== '/metrics' || !isRead) {
    const status = path === '/metrics' ? 405 : 404
    response.writeHead(status, status === 405 ? { allow: 'GET, HEAD' } : {}).end()
    return
  }
  await update({ signal })
  const body = Buffer.from(registry.text())
  response.writeHead(200, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'content-length': body.length,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
