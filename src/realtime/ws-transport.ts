import WebSocket from 'ws'
import { reasonOf, UpstreamError } from '../kernel/errors.js'
import { Mailbox } from '../kernel/mailbox.js'
import type { EngineAddress, Transport, TransportEvent, TransportOpener } from './index.js'
import { EndpointMissing, UpgradeRefused } from './session-failure.js'

/** Events waiting for the consumer at which the socket is paused; a delta is about 60 bytes. */
const EVENTS_MAX = 1024
/**
 * Bytes of waiting event texts at which the socket is paused. A paused socket still delivers one
 * more frame and what fits into one read of the socket (64 KiB).
 */
const EVENT_BYTES_MAX = 2 ** 20
/** Largest frame in bytes that we accept: the `done` of an hour of speech is far below it. */
const FRAME_BYTES_MAX = 16 * 2 ** 20

/** Opens sockets with the library `ws`, which answers the server's pings by itself. */
export function wsTransportOpener(options: { connectTimeoutMs: number }): TransportOpener {
  return {
    open(engine, { signal }) {
      return openSocket(engine, options.connectTimeoutMs, signal)
    },
  }
}

function openSocket(
  engine: EngineAddress,
  connectTimeoutMs: number,
  signal: AbortSignal,
): Promise<Transport> {
  signal.throwIfAborted()
  const socket = new WebSocket(engine.url, {
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    handshakeTimeout: connectTimeoutMs,
    headers: engine.key === null ? {} : { authorization: `Bearer ${engine.key}` },
  })
  const transport = wrap(socket)
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      socket.terminate()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = (act: () => void) => {
      signal.removeEventListener('abort', onAbort)
      act()
    }
    socket.once('open', () => settle(() => resolve(transport)))
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      settle(() => reject(refusal(engine, response.statusCode ?? 0)))
    })
    socket.once('error', (cause) => settle(() => reject(unreachable(engine, cause))))
  })
}

/** Maps a refused upgrade to an error; the sentence never contains the key. */
function refusal(engine: EngineAddress, status: number): Error {
  if (status === 401) {
    return new UpgradeRefused(
      'engine_unauthorized',
      `The engine at ${engine.url} refuses the key; set NIGHTSCRIBE_ENGINE_KEY to the one it was started with.`,
      status,
    )
  }
  if (status === 403 || status === 404) {
    return new EndpointMissing(
      `There is no realtime endpoint at ${engine.url}; NIGHTSCRIBE_ENGINES needs the whole address, such as ws://gpu-node:8000/v1/realtime.`,
      status,
    )
  }
  return new UpgradeRefused(
    'engine_unavailable',
    `The engine at ${engine.url} refuses new sessions (HTTP ${status}).`,
    status,
  )
}

function unreachable(engine: EngineAddress, cause: unknown): UpstreamError {
  return new UpstreamError(
    'engine_unavailable',
    `The engine at ${engine.url} can't be reached: ${reasonOf(cause)}.`,
    { cause, effect: 'none' },
  )
}

function wrap(socket: WebSocket): Transport {
  const mailbox = new Mailbox<TransportEvent>({
    itemsMax: EVENTS_MAX,
    size: {
      bytesMax: EVENT_BYTES_MAX,
      // Upper bound of a text's memory: 2 bytes for each UTF-16 unit.
      bytesOf: (event) => (event.kind === 'message' ? 2 * event.text.length : 0),
    },
    onFull: () => socket.pause(),
    onDrained: () => socket.resume(),
  })
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) mailbox.put({ kind: 'binary', bytes: data.byteLength })
    else mailbox.put({ kind: 'message', text: data.toString() })
  })
  // Ignored: `ws` follows every error by a close event, which carries the code.
  socket.on('error', () => {})
  socket.on('close', (code, reason) => {
    mailbox.put({ kind: 'closed', code, reason: reason.toString() })
    mailbox.end()
  })
  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text)
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    events: () => mailbox,
    close() {
      socket.close(1000)
    },
    destroy() {
      socket.terminate()
    },
  }
}
