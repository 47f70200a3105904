import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline, Transform } from 'node:stream'

/** What shall happen to a request instead of, or to, its answer. */
export type S3Fault =
  /** An error of S3's own; the server behind never sees the request. */
  | { kind: 'error'; status: number; code: string }
  /** The server does what it was asked, and the connection is reset before it can say so. */
  | { kind: 'lost-answer' }
  /** The connection is reset after so many bytes of the answer's body. */
  | { kind: 'cut-body'; afterBytes: number }
  /** Nothing comes any more after so many bytes of the answer's body. */
  | { kind: 'stall-body'; afterBytes: number }
  /** The request is read and never answered. */
  | { kind: 'silence' }

/** A request as faults choose by it. */
export interface S3RequestLine {
  method: string
  /** Bucket, key and query, as they were sent. */
  path: string
  headers: IncomingMessage['headers']
}

/** When a fault strikes. */
export interface S3FaultPlan {
  /** Requests that it strikes; for ever where absent. */
  times?: number
  when?: (request: S3RequestLine) => boolean
  /** Called when it strikes, before anything happens to the request. */
  onStrike?: (request: S3RequestLine) => Promise<void> | void
}

/** A fault that was set. */
export interface SetFault {
  /** Requests that it has struck. */
  readonly strikes: number
  /** Resolves when it strikes for the first time. */
  readonly struck: Promise<void>
  /** It strikes no more. */
  lift(): void
}

/** An S3 server as seen through bad weather; disposing it ends all connections. */
export interface S3FaultProxy extends AsyncDisposable {
  endpoint: string
  /** Of several faults that a request meets, the one set first strikes. */
  set(fault: S3Fault, plan?: S3FaultPlan): SetFault
}

interface Standing extends S3FaultPlan {
  fault: S3Fault
  left: number
  strikes: number
  announce: () => void
}

/**
 * Passes requests on to an S3 server and their answers back, but for the faults that are set. The
 * name in the `Host` header is passed on as well, because it is part of what is signed.
 */
export async function startS3FaultProxy(upstream: string): Promise<S3FaultProxy> {
  const faults: Standing[] = []
  const agent = new Agent({ keepAlive: true })
  const server = createServer((request, response) => {
    void serve(request, response)
  })
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url: path = '/', headers } = request
    const line = { method, path, headers }
    const met = faults.find(({ left, when = () => true }) => left > 0 && when(line))
    if (met) {
      met.left -= 1
      met.strikes += 1
      await met.onStrike?.(line)
      met.announce()
    }
    answer(request, response, { upstream, agent, fault: met?.fault ?? null })
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(fault, plan = {}) {
      let announce = () => {}
      const struck = new Promise<void>((resolve) => {
        announce = resolve
      })
      const standing = { ...plan, fault, left: plan.times ?? Infinity, strikes: 0, announce }
      faults.push(standing)
      return {
        struck,
        get strikes() {
          return standing.strikes
        },
        lift() {
          standing.left = 0
        },
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await closed
    },
  }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  at: { upstream: string; agent: Agent; fault: S3Fault | null },
): void {
  const { fault, agent } = at
  if (fault?.kind === 'error') {
    refuse(request, response, fault)
    return
  }
  if (fault?.kind === 'silence') {
    request.resume()
    return
  }
  const { method, headers } = request
  const url = new URL(request.url ?? '/', at.upstream)
  const onward = openRequest({
    ...{ agent, method, headers, host: url.hostname, port: url.port },
    path: request.url, // as it was signed
  })
  const drop = () => {
    response.destroy()
    onward.destroy()
  }
  pipeline(request, onward, (error) => {
    if (error) drop()
  })
  onward.on('error', drop)
  onward.on('response', (from: IncomingMessage) => {
    if (fault?.kind === 'lost-answer') {
      from.resume().once('end', () => response.destroy())
      return
    }
    response.writeHead(from.statusCode ?? 502, from.headers)
    response.flushHeaders()
    if (fault) pipeline(from, shortened(fault, response), response, () => {})
    else pipeline(from, response, () => {})
  })
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code }: { status: number; code: string },
): void {
  // Read to its end, or the client meets a reset before the answer.
  request.resume().once('end', () => {
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
    response.writeHead(status, { 'content-type': 'application/xml' })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
}

/** Lets so many bytes through; then the connection is reset, or nothing comes any more. */
function shortened(
  fault: { kind: 'cut-body' | 'stall-body'; afterBytes: number },
  response: ServerResponse,
): Transform {
  let left = fault.afterBytes
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (chunk.length < left) {
        left -= chunk.length
        done(null, chunk)
        return
      }
      this.push(chunk.subarray(0, left))
      left = 0
      // What was pushed leaves first.
      if (fault.kind === 'cut-body') setImmediate(() => response.socket?.resetAndDestroy())
    },
  })
}
