import { ConfigError, NightscribeError, UpstreamError } from '../kernel/errors.js'
import { stepsToFirstDelta } from '../model/step-law.js'

/** Less than this heard, and it wasn't the amount of audio that the engine refused. */
const CAP_FRAMES_MIN = 13

/** Codes of a server that has limits, and says so; no fault of its own or of the audio. */
const LIMIT_CODES: ReadonlySet<string | null> = new Set([
  'buffer_full',
  'idle_timeout',
  // What we send is always well-formed: it is the amount in one session that is too much.
  'invalid_audio',
])

/**
 * What an `error` frame means. Every one ends its session: after most of them audio is missing
 * there, and nothing says how much.
 *
 * @param deltas received before it
 */
export function failureOfErrorFrame(
  message: string,
  code: string | null,
  deltas: number,
): UpstreamError {
  const facts = { engineCode: code, deltas }
  if (code === 'model_not_found') {
    return new UpstreamError(
      'engine_model_missing',
      `The engine does not serve the wanted model: ${message} (setting engine.model).`,
      { facts },
    )
  }
  return new UpstreamError(
    LIMIT_CODES.has(code) ? 'engine_overloaded' : 'engine_crashed',
    `The engine reported an error: ${message}`,
    { facts },
  )
}

/** The engine came to its end, but gave less than it should. @param what is missing */
export function textLeftOut(
  what: 'speech' | 'tail',
  sentence: string,
  facts: Readonly<Record<string, string | number>>,
): UpstreamError {
  const code = what === 'speech' ? 'session_stalled' : 'engine_protocol'
  return new UpstreamError(code, sentence, { facts: { ...facts, leftOut: what } })
}

/**
 * Whether a session failed because text seems to be missing. Once is chance, and the leg is carried
 * again; where it comes again text with a hole is worth more than none.
 */
export function isTextLeftOut(error: unknown): boolean {
  return error instanceof UpstreamError && error.facts.leftOut !== undefined
}

/**
 * Whether an engine refused a session as it would refuse every other one, until an operator changes
 * something: a key, a model, an address.
 */
export function isRefusal(error: unknown): error is NightscribeError {
  if (!(error instanceof NightscribeError)) return false
  const { code } = error
  return (
    error instanceof ConfigError ||
    code === 'engine_unauthorized' ||
    code === 'engine_model_missing'
  )
}

/**
 * Frames of audio after which an engine took no more in one session; null for any other failure.
 * Never too many: what it answered it had heard.
 */
export function framesTaken(error: unknown): number | null {
  if (!(error instanceof UpstreamError) || error.facts.engineCode !== 'invalid_audio') return null
  const frames = Number(error.facts.deltas) + stepsToFirstDelta()
  return frames < CAP_FRAMES_MIN ? null : frames
}
