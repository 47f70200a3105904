import { z } from 'zod'
import { ProtocolError } from '../kernel/errors.js'

/** Token counts of one utterance, as the server gives them. */
export interface Usage {
  promptTokens: number
  completionTokens: number
}

/** Every event that a vLLM Realtime server may send. */
export type ServerEvent =
  | { kind: 'created'; sessionId: string }
  | { kind: 'delta'; text: string }
  | { kind: 'done'; text: string; usage: Usage | null }
  | { kind: 'error'; message: string; code: string | null }
  /** A type that this client doesn't need, such as `session.updated`. */
  | { kind: 'other'; type: string }

const envelope = z.object({ type: z.string() })
const created = z.object({ id: z.string().default('') })
const delta = z.object({ delta: z.string() })
const tokens = z.int().min(0)
const done = z.object({
  text: z.string(),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish(),
})
const error = z.object({ error: z.string(), code: z.string().nullish() })

/**
 * Parses one text frame of the server. Unknown keys and unknown types are tolerated.
 * @throws ProtocolError `engine_protocol` when a known type has another shape, or it isn't JSON
 */
export function parseServerEvent(frame: string): ServerEvent {
  const json = parseJson(frame)
  const { type } = shape(envelope, json, 'no type')
  switch (type) {
    case 'session.created':
      return { kind: 'created', sessionId: shape(created, json, type).id }
    case 'transcription.delta':
      return { kind: 'delta', text: shape(delta, json, type).delta }
    case 'transcription.done': {
      const { text, usage } = shape(done, json, type)
      if (!usage) return { kind: 'done', text, usage: null }
      const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = usage
      return { kind: 'done', text, usage: { promptTokens, completionTokens } }
    }
    case 'error': {
      const { error: message, code } = shape(error, json, type)
      return { kind: 'error', message, code: code ?? null }
    }
    default:
      return { kind: 'other', type }
  }
}

/** Names the model to the server, which answers only when it doesn't serve that model. */
export function encodeUpdate(model: string): string {
  return JSON.stringify({ type: 'session.update', model })
}

/** `final: false` starts the utterance, `final: true` ends its audio. */
export function encodeCommit(final: boolean): string {
  return JSON.stringify({ type: 'input_audio_buffer.commit', final })
}

/** Appends a piece of PCM16: an even number of bytes, at least 2. */
export function encodeAppend(pcm: Uint8Array): string {
  const base64 = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64')
  // Written without JSON.stringify, since Base64 needs no escaping: every 80 ms frame passes here.
  return `{"type":"input_audio_buffer.append","audio":"${base64}"}`
}

function parseJson(frame: string): unknown {
  try {
    return JSON.parse(frame)
  } catch (cause) {
    throw new ProtocolError('engine_protocol', 'The engine sent a frame that is not JSON.', {
      cause,
    })
  }
}

function shape<T>(schema: z.ZodType<T>, json: unknown, type: string): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new ProtocolError(
    'engine_protocol',
    `The engine sent an event of an unknown shape (${type}).`,
    { cause: parsed.error },
  )
}
