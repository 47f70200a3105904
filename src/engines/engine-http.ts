import { withTimeout } from '../kernel/abort.js'
import { ConfigError, reasonOf, UpstreamError } from '../kernel/errors.js'
import type { EngineAddress } from '../realtime/index.js'

/** An answer above 8 MiB is refused as no engine's; `/metrics` of a busy engine has 0.3 MB. */
const BODY_BYTES_MAX = 8 * 2 ** 20

/** What an engine's HTTP side answered. */
export interface EngineAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** The HTTP side of a realtime address. `ws://h:8000/v1/realtime` gives `http://h:8000`. */
export function httpBase(realtimeUrl: string): string {
  const url = new URL(realtimeUrl)
  url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:'
  url.pathname = url.pathname.replace(/\/v1\/realtime\/?$/, '')
  url.search = ''
  return url.href.replace(/\/$/, '')
}

/**
 * One GET of an engine; its time limit includes the body.
 *
 * @throws UpstreamError `engine_unavailable` when it doesn't answer in time or its answer is larger
 *   than any engine's; the signal's reason
 */
export async function getFromEngine(
  engine: EngineAddress,
  path: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<EngineAnswer> {
  const late = () => unreachable(engine, `no answer within ${timeoutMs} ms`)
  return await withTimeout(timeoutMs, signal, late, async (inner) => {
    const headers = engine.key === null ? {} : { authorization: `Bearer ${engine.key}` }
    try {
      const response = await fetch(httpBase(engine.url) + path, { headers, signal: inner })
      const { status } = response
      return { status, headers: response.headers, body: await readBody(engine, path, response) }
    } catch (error) {
      inner.throwIfAborted()
      if (error instanceof UpstreamError) throw error
      const cause = error instanceof Error && error.cause ? error.cause : error
      throw unreachable(engine, reasonOf(cause), error)
    }
  })
}

/**
 * Refuses an answer with HTTP status 401 or 403.
 * @throws ConfigError `engine_unauthorized`, naming the setting
 */
export function refuseUnauthorized(engine: EngineAddress, answer: EngineAnswer): void {
  if (answer.status !== 401 && answer.status !== 403) return
  throw new ConfigError(
    'engine_unauthorized',
    engine.key === null
      ? `The engine at ${engine.url} wants a key; set NIGHTSCRIBE_ENGINE_KEY.`
      : `The engine at ${engine.url} refuses the key in NIGHTSCRIBE_ENGINE_KEY.`,
  )
}

/** The JSON of an answer; null where its body is no JSON. */
export function jsonOf(answer: EngineAnswer): unknown {
  try {
    return JSON.parse(answer.body)
  } catch {
    return null // the caller reports it as it reports JSON of another shape
  }
}

function unreachable(engine: EngineAddress, why: string, cause?: unknown): UpstreamError {
  return new UpstreamError(
    'engine_unavailable',
    `The engine at ${engine.url} can't be reached: ${why}; is NIGHTSCRIBE_ENGINES right, and is it up?`,
    { cause, effect: 'none' },
  )
}

async function readBody(engine: EngineAddress, path: string, response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > BODY_BYTES_MAX) {
      // The throw leaves the loop, which cancels the download of the rest of the body.
      throw new UpstreamError(
        'engine_unavailable',
        `What answers at ${engine.url} is no vLLM server: more than ${BODY_BYTES_MAX} bytes for ${path}.`,
        { effect: 'none' },
      )
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
