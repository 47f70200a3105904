import { ConfigError, type ErrorCode, NightscribeError, UpstreamError } from '../kernel/errors.js'
import { stepsToFirstDelta } from '../model/step-law.js'

/**
 * Frames below which `invalid_audio` can't mean that the session was too long (13 frames: 1.04 s).
 */
const CAP_FRAMES_MIN = 13

/**
 * Error codes of a server that enforces limits of its own: neither the engine nor the audio is at
 * fault.
 */
const LIMIT_CODES: ReadonlySet<string | null> = new Set([
  'buffer_full',
  'idle_timeout',
  // Our frames are always well-formed: for us this code means too much audio in one session.
  'invalid_audio',
])

/** The engine sent an `error` frame, which ends the session. */
export class EngineError extends UpstreamError {
  /** The engine's own code; null where it gives none. */
  readonly engineCode: string | null
  /** Deltas received before the error. */
  readonly deltas: number

  constructor(
    code: ErrorCode,
    message: string,
    { engineCode, deltas }: { engineCode: string | null; deltas: number },
  ) {
    super(code, message, { facts: { engineCode, deltas } })
    this.engineCode = engineCode
    this.deltas = deltas
  }
}

/** The engine closed the socket before the transcript was complete. */
export class SessionClosed extends UpstreamError {
  readonly closeCode: number

  constructor(message: string, facts: { closeCode: number; state: string; deltas: number }) {
    super('engine_crashed', message, { facts })
    this.closeCode = facts.closeCode
  }
}

/** The engine answered the upgrade with an HTTP status of its own. */
export class UpgradeRefused extends UpstreamError {
  readonly status: number

  constructor(code: ErrorCode, message: string, status: number) {
    super(code, message, { facts: { status }, effect: 'none' })
    this.status = status
  }
}

/** There is no realtime endpoint at the address: an operator has to correct it. */
export class EndpointMissing extends ConfigError {
  readonly status: number

  constructor(message: string, status: number) {
    super('config_invalid', message, { facts: { status } })
    this.status = status
  }
}

/**
 * The engine ended the session but gave less text than its audio demands. The first time the leg is
 * replayed, since it may be chance; the second time the incomplete text is kept.
 */
export class TextLeftOut extends UpstreamError {
  /** @param what is missing: text over speech, or the end of the text */
  constructor(
    what: 'speech' | 'tail',
    sentence: string,
    facts: Readonly<Record<string, string | number>>,
  ) {
    const code = what === 'speech' ? 'session_stalled' : 'engine_protocol'
    super(code, sentence, { facts: { ...facts, leftOut: what } })
  }
}

/**
 * Maps an `error` frame to a failure. Every such frame ends its session: after most of them some
 * audio is lost in the engine, and nothing says how much.
 *
 * @param deltas received before it
 */
export function failureOfErrorFrame(
  message: string,
  engineCode: string | null,
  deltas: number,
): EngineError {
  if (engineCode === 'model_not_found') {
    return new EngineError(
      'engine_model_missing',
      `The engine does not serve the wanted model: ${message} (setting engine.model).`,
      { engineCode, deltas },
    )
  }
  return new EngineError(
    LIMIT_CODES.has(engineCode) ? 'engine_overloaded' : 'engine_crashed',
    `The engine reported an error: ${message}`,
    { engineCode, deltas },
  )
}

/**
 * True when the engine would refuse every other session in the same way until an operator corrects
 * a key, a model or an address.
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
 * Never too high: it counts the frames that the engine has answered.
 */
export function framesTaken(error: unknown): number | null {
  if (!(error instanceof EngineError) || error.engineCode !== 'invalid_audio') return null
  const frames = error.deltas + stepsToFirstDelta()
  return frames < CAP_FRAMES_MIN ? null : frames
}
