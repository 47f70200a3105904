import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { StandinEngine } from '../engine/standin-engine.js'
import { metricsText } from './metrics-text.js'

interface Answer {
  status: number
  body: string
  type: 'application/json' | 'text/plain; version=0.0.4; charset=utf-8'
  headers?: OutgoingHttpHeaders
}

/** Headers of every HTTP answer, so that a stand-in is never taken for a real engine. */
export const STANDIN_HEADERS: Readonly<Record<string, string>> = { 'x-nightscribe-standin': '1' }

/** Answers one plain HTTP request as vLLM's server does. */
export function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  engine: StandinEngine,
  key: string | null,
): void {
  const { status, body, type, headers } = route(request, engine, key)
  response.writeHead(status, {
    ...STANDIN_HEADERS,
    ...headers,
    'content-length': Buffer.byteLength(body),
    ...(body === '' ? {} : { 'content-type': type }),
  })
  response.end(request.method === 'HEAD' ? '' : body)
  request.resume()
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/\?.*$/s, '')
}

/**
 * Whether a request has the key that its path needs. As in vLLM only paths under `/v1` need one.
 */
export function isAuthorized(request: IncomingMessage, key: string | null): boolean {
  if (key === null || request.method === 'OPTIONS' || !pathOf(request).startsWith('/v1'))
    return true
  const [scheme = '', ...rest] = (request.headers.authorization ?? '').split(' ')
  if (scheme.toLowerCase() !== 'bearer') return false
  return timingSafeEqual(digest(rest.join(' ')), digest(key))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function route(request: IncomingMessage, engine: StandinEngine, key: string | null): Answer {
  if (!isAuthorized(request, key)) return json({ error: 'Unauthorized' }, 401)
  const handler = ROUTES[pathOf(request)]
  if (!handler) return json({ detail: 'Not Found' }, 404)
  if (!handler.methods.includes(request.method ?? '')) {
    const headers = { allow: handler.methods.join(', ') }
    return { ...json({ detail: 'Method Not Allowed' }, 405), headers }
  }
  return handler.answer(engine)
}

interface Route {
  methods: readonly string[]
  answer: (engine: StandinEngine) => Answer
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/health': { methods: ['GET'], answer: health },
  '/ping': { methods: ['GET', 'POST'], answer: health },
  '/version': { methods: ['GET'], answer: ({ settings }) => json({ version: settings.version }) },
  '/v1/models': { methods: ['GET'], answer: models },
  '/metrics': {
    methods: ['GET'],
    answer: (engine) => ({
      status: 200,
      body: metricsText(engine),
      type: 'text/plain; version=0.0.4; charset=utf-8',
    }),
  },
}

function health({ isAlive }: StandinEngine): Answer {
  return { status: isAlive ? 200 : 503, body: '', type: 'application/json' }
}

function models({ settings }: StandinEngine): Answer {
  const created = Math.floor(settings.clock.wallMs() / 1000)
  const model = {
    id: settings.modelId,
    object: 'model',
    created,
    owned_by: 'nightscribe-standin',
    root: settings.modelId,
    parent: null,
    max_model_len: settings.maxModelLen,
    permission: [],
  }
  const headers = { 'x-nightscribe-delta-delay-ms': String(settings.recognizer.deltaDelayMs) }
  return { ...json({ object: 'list', data: [model] }), headers }
}

function json(value: unknown, status = 200): Answer {
  return { status, body: JSON.stringify(value), type: 'application/json' }
}
