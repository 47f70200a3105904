/**
 * The errors of the program. An error is classified once, where its cause is first known, and gets
 * its facts there; each edge (CLI exit, job disposition, later HTTP) maps classes in one file.
 */

/**
 * Stable names a user or a program can match on. Never reused with another meaning; what each one
 * means for a job is in `src/queue/contract/failure-codes.ts`.
 */
export const ERROR_CODES = [
  'config_invalid',
  'input_not_found',
  'input_forbidden',
  'input_unsupported',
  'no_audio_stream',
  'media_corrupt',
  'media_too_long',
  'media_too_large',
  'media_changed',
  'decode_failed',
  'engine_unavailable',
  'engine_unauthorized',
  'engine_model_missing',
  'engine_overloaded',
  'engine_crashed',
  'engine_protocol',
  'session_stalled',
  'coverage_below_threshold',
  'storage_unavailable',
  'queue_unavailable',
  'output_write_failed',
  'worker_lost',
  'deadline_missed',
  'job_not_found',
  'canceled',
  'internal',
] as const

/** One of `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** Facts beside an error's sentence: ids, counts, names of settings. Never credentials or text. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | null>>

/** What an error may have beside its sentence. */
export interface ErrorOptionsWithFacts {
  facts?: ErrorFacts
  cause?: unknown
}

/**
 * Base of all classified errors: `message` is one sentence for a person, `code` is for programs.
 */
export abstract class NightscribeError extends Error {
  abstract override readonly name: string
  readonly code: ErrorCode
  readonly facts: ErrorFacts

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithFacts = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.facts = options.facts ?? {}
  }

  /** Whether the same work may succeed later with the same input. */
  abstract readonly retryable: boolean
}

/** The operator must change a setting or install a part. A process that gets it doesn't start. */
export class ConfigError extends NightscribeError {
  override readonly name = 'ConfigError'
  override readonly retryable = false
}

/** This recording or this request is wrong. Trying again can't help. */
export class InputError extends NightscribeError {
  override readonly name = 'InputError'
  override readonly retryable = false
}

/** There is no room at the moment; the same request fits later. */
export class CapacityError extends NightscribeError {
  override readonly name = 'CapacityError'
  override readonly retryable = true
  readonly retryAfterMs: number
  /** 1-based position in the queue; null where there is no queue. */
  readonly place: number | null
  /** When there will be room, ms of the Unix epoch; null where that isn't known. */
  readonly expectedStartAtMs: number | null

  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptionsWithFacts & {
      retryAfterMs: number
      place?: number
      expectedStartAtMs?: number | null
    },
  ) {
    super(code, message, options)
    this.retryAfterMs = options.retryAfterMs
    this.place = options.place ?? null
    this.expectedStartAtMs = options.expectedStartAtMs ?? null
  }
}

/** Storage, Redis or an engine failed. */
export class UpstreamError extends NightscribeError {
  override readonly name = 'UpstreamError'
  override readonly retryable = true
  /** `none`: the failed request certainly had no effect; `unknown`: it may have had one. */
  readonly effect: 'none' | 'unknown'

  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptionsWithFacts & { effect?: 'none' | 'unknown' } = {},
  ) {
    super(code, message, options)
    this.effect = options.effect ?? 'unknown'
  }
}

/** A peer broke its protocol. For an engine, the work is tried again in a new session. */
export class ProtocolError extends NightscribeError {
  override readonly name = 'ProtocolError'
  override readonly retryable = true
}

/** A stop was asked for, for example by a signal of the system. A `signal.reason`, no failure. */
export class StopRequested extends NightscribeError {
  override readonly name = 'StopRequested'
  override readonly retryable = false
}

/** True for a reason with which one of our own signals was aborted. */
export function isStop(error: unknown): error is StopRequested {
  return error instanceof StopRequested
}

/** The errno-like code of a Node, SDK or library error, or null. */
export function systemCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : null
}

/** A short reason out of any thrown value, for the end of a sentence. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (error instanceof Error) return error.message || systemCode(error) || error.name
  return String(error)
}
