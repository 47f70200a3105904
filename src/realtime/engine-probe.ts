import { withTimeout } from '../kernel/abort.js'
import { ConfigError, reasonOf, UpstreamError } from '../kernel/errors.js'
import { parseModels, parseVersion } from './engine-codec.js'
import type { EngineAddress, EngineDescription } from './index.js'

/** Headers by which our stand-in says what it is; a real vLLM sends neither. */
const STANDIN_HEADER = 'x-nightscribe-standin'
const DELTA_DELAY_HEADER = 'x-nightscribe-delta-delay-ms'

/** The HTTP side of a realtime address. `ws://h:8000/v1/realtime` gives `http://h:8000`. */
export function httpBase(realtimeUrl: string): string {
  const url = new URL(realtimeUrl)
  url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:'
  url.pathname = url.pathname.replace(/\/v1\/realtime\/?$/, '')
  url.search = ''
  return url.href.replace(/\/$/, '')
}

/**
 * Asks an engine what it serves, and whether that is what we want.
 *
 * @throws UpstreamError `engine_unavailable` when it doesn't answer; ConfigError
 *   `engine_unauthorized` or `engine_model_missing`, naming the setting; the signal's reason
 */
export async function describeEngine(
  engine: EngineAddress,
  wanted: { model: string; timeoutMs: number },
  { signal }: { signal: AbortSignal },
): Promise<EngineDescription> {
  const response = await get(engine, '/v1/models', wanted.timeoutMs, signal)
  if (response.status === 401 || response.status === 403) {
    throw new ConfigError(
      'engine_unauthorized',
      engine.key === null
        ? `The engine at ${engine.url} wants a key; set NIGHTSCRIBE_ENGINE_KEY.`
        : `The engine at ${engine.url} refuses the key in NIGHTSCRIBE_ENGINE_KEY.`,
    )
  }
  const listed = parseModels(await response.json().catch(() => null))
  if (!response.ok || !listed) {
    throw new UpstreamError(
      'engine_unavailable',
      `What answers at ${engine.url} is no vLLM server that is ready (HTTP ${response.status} for /v1/models).`,
      { facts: { status: response.status } },
    )
  }
  const served = listed.find((entry) => entry.id === wanted.model)
  if (!served) {
    const names = listed.map((entry) => entry.id).join(', ') || 'no model'
    throw new ConfigError(
      'engine_model_missing',
      `The engine at ${engine.url} serves ${names}, not ${wanted.model}; set engine.model (NIGHTSCRIBE_ENGINE_MODEL).`,
    )
  }
  const told = await get(engine, '/version', wanted.timeoutMs, signal)
  return {
    model: served.id,
    maxModelLen: served.maxModelLen,
    version: parseVersion(await told.json().catch(() => null)),
    isStandin: response.headers.get(STANDIN_HEADER) === '1',
    deltaDelayMs: Number(response.headers.get(DELTA_DELAY_HEADER) ?? 0) || 0,
  }
}

async function get(
  engine: EngineAddress,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Response> {
  const unavailable = (why: string, cause?: unknown) =>
    new UpstreamError(
      'engine_unavailable',
      `The engine at ${engine.url} can't be reached: ${why}; is NIGHTSCRIBE_ENGINES right, and is it up?`,
      { cause, effect: 'none' },
    )
  const late = () => unavailable(`no answer within ${timeoutMs} ms`)
  return await withTimeout(timeoutMs, signal, late, async (inner) => {
    const headers = engine.key === null ? {} : { authorization: `Bearer ${engine.key}` }
    try {
      return await fetch(httpBase(engine.url) + path, { headers, signal: inner })
    } catch (error) {
      inner.throwIfAborted()
      const cause = error instanceof Error && error.cause ? error.cause : error
      throw unavailable(reasonOf(cause), error)
    }
  })
}
