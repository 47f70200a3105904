/** The frames that a vLLM Realtime server sends, as JSON in its own order of keys. */

/** Codes of `error` frames: those of vLLM 0.32, then those of its open pull requests. */
export const WIRE_ERROR_CODES = [
  'invalid_json',
  'invalid_event',
  'model_not_found',
  'model_not_validated',
  'unknown_event',
  'invalid_audio',
  'processing_error',
  'buffer_full',
  'idle_timeout',
] as const

/** A code of an `error` frame. */
export type WireErrorCode = (typeof WIRE_ERROR_CODES)[number]

/** @param createdS Unix time in whole seconds */
export function createdFrame(id: string, createdS: number): string {
  return JSON.stringify({ type: 'session.created', id, created: createdS })
}

/** Acknowledges `session.update`; only some builds do, vLLM's main line doesn't. */
export function updatedFrame(model: unknown): string {
  return JSON.stringify({ type: 'session.updated', model })
}

const EMPTY_DELTA = JSON.stringify({ type: 'transcription.delta', delta: '' })

/** The delta of one step; `text` is empty for most. */
export function deltaFrame(text: string): string {
  return text === '' ? EMPTY_DELTA : JSON.stringify({ type: 'transcription.delta', delta: text })
}

/** @param usage tokens of the utterance; both 0 when it had no audio */
export function doneFrame(
  text: string,
  usage: { promptTokens: number; completionTokens: number },
): string {
  return JSON.stringify({
    type: 'transcription.done',
    text,
    usage: {
      prompt_tokens: usage.promptTokens,
      total_tokens: usage.promptTokens + usage.completionTokens,
      completion_tokens: usage.completionTokens,
      prompt_tokens_details: null,
      completion_tokens_details: null,
    },
  })
}

/** An error in vLLM's form: both fields are strings. */
export function errorFrame(error: string, code: WireErrorCode): string {
  return JSON.stringify({ type: 'error', error, code })
}
