import { ConfigError, UpstreamError } from '../kernel/errors.js'
import type { EngineAddress, EngineDescription } from '../realtime/index.js'
import { parseModels, parseVersion } from './engine-codec.js'
import { getFromEngine, jsonOf, refuseUnauthorized } from './engine-http.js'

/** Headers by which the stand-in engine identifies itself; a real vLLM sends neither. */
const STANDIN_HEADER = 'x-nightscribe-standin'
const DELTA_DELAY_HEADER = 'x-nightscribe-delta-delay-ms'

/**
 * Asks an engine what it serves, and whether the wanted model is part of it.
 *
 * @throws UpstreamError `engine_unavailable` when it doesn't answer; ConfigError
 *   `engine_unauthorized` or `engine_model_missing`, naming the setting; the signal's reason
 */
export async function describeEngine(
  engine: EngineAddress,
  wanted: { model: string; timeoutMs: number },
  { signal }: { signal: AbortSignal },
): Promise<EngineDescription> {
  const { timeoutMs } = wanted
  const answer = await getFromEngine(engine, '/v1/models', { timeoutMs, signal })
  refuseUnauthorized(engine, answer)
  const listed = parseModels(jsonOf(answer))
  if (answer.status !== 200 || !listed) {
    throw new UpstreamError(
      'engine_unavailable',
      `What answers at ${engine.url} is no vLLM server that is ready (HTTP ${answer.status} for /v1/models); is NIGHTSCRIBE_ENGINES right?`,
      { facts: { status: answer.status } },
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
  const told = await getFromEngine(engine, '/version', { timeoutMs, signal })
  return {
    model: served.id,
    maxModelLen: served.maxModelLen,
    version: parseVersion(jsonOf(told)),
    isStandin: answer.headers.get(STANDIN_HEADER) === '1',
    deltaDelayMs: Number(answer.headers.get(DELTA_DELAY_HEADER) ?? 0) || 0,
  }
}

/**
 * Asks whether an engine's process and its core are alive. That says nothing about stalls: a
 * deadlocked engine reports itself healthy. An answer of 404 counts as alive, for a proxy may hide
 * the page.
 *
 * @throws UpstreamError `engine_unavailable` when it doesn't answer, `engine_crashed` when it
 *   answers that it is dead (vLLM says 503, and ends a little later); the signal's reason
 */
export async function checkHealth(
  engine: EngineAddress,
  { timeoutMs }: { timeoutMs: number },
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { status } = await getFromEngine(engine, '/health', { timeoutMs, signal })
  if (status === 200 || status === 404) return
  throw new UpstreamError(
    'engine_crashed',
    `The engine at ${engine.url} says that it can't work (HTTP ${status} for /health); its own log says why.`,
    { facts: { status }, effect: 'none' },
  )
}
