import type { S3Client } from '@aws-sdk/client-s3'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { systemCode } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { s3Code, s3Status } from './s3-error.js'

/** Most tries of one request: the waits between them are about 18 s, as long as most restarts. */
const TRIES_MAX = 8
/** Most tries of a request that runs into its time limit, because each takes a minute or more. */
const TIMED_OUT_TRIES_MAX = 3
/**
 * Most tries of a request that gets no answer before the server has ever answered: its address may
 * be wrong, and the operator should learn that soon.
 */
const UNPROVEN_TRIES_MAX = 3
const BACKOFF_FIRST_MS = 250
const BACKOFF_MAX_MS = 8_000

const BUSY_CODES = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'RequestTimeout',
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
])
const BUSY_STATUSES = new Set([408, 429, 500, 502, 503, 504])
const BROKEN_CODES = new Set(['ECONNRESET', 'EPIPE'])
const UNREACHED_CODES = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'])

/** Clock and chance of the retries, and their observer. */
export interface S3Patience {
  clock: Clock
  random: Random
  /** Whether this server has answered before. */
  isProven: () => boolean
  /** Called before a request is sent again, to count the retries. */
  onRetry?: (() => void) | undefined
}

/**
 * A view of a client whose requests are repeated where the server is busy, fails or can't be
 * reached; the client itself must try once. Unlike the SDK's waits these end with the request's
 * signal, so that a stop isn't delayed by a backoff.
 */
export function patientClient(client: S3Client, patience: S3Patience): S3Client {
  const send = async (
    command: Parameters<S3Client['send']>[0],
    options: { abortSignal?: AbortSignal } = {},
  ) => {
    const signal = options.abortSignal ?? new AbortController().signal
    for (let tries = 1; ; tries += 1) {
      try {
        return await client.send(command, { abortSignal: signal })
      } catch (error) {
        signal.throwIfAborted()
        if (tries >= triesMax(error, patience.isProven())) throw error
        patience.onRetry?.()
        await sleepFor(patience.clock, backoffMs(tries, patience.random), { signal })
      }
    }
  }
  return Object.assign(Object.create(client) as S3Client, { send })
}

/** Most tries of a request that fails with this error; 1 where a retry can't help. */
export function triesMax(error: unknown, isProven: boolean): number {
  if (s3Status(error) === null) return triesUnanswered(error, isProven)
  const isBusy = BUSY_CODES.has(s3Code(error)) || BUSY_STATUSES.has(s3Status(error) ?? 0)
  // The SDK has taken the server's time from the refusal, and signs the next request with it.
  return isBusy || isSkewCorrected(error) ? TRIES_MAX : 1
}

function triesUnanswered(error: unknown, isProven: boolean): number {
  const errno = systemCode(error) ?? ''
  if (BROKEN_CODES.has(errno)) return TRIES_MAX
  if (UNREACHED_CODES.has(errno)) return isProven ? TRIES_MAX : UNPROVEN_TRIES_MAX
  // The SDK gives this name to connections that were refused or reset as well.
  return errno === 'ETIMEDOUT' || s3Code(error) === 'TimeoutError' ? TIMED_OUT_TRIES_MAX : 1
}

function isSkewCorrected(error: unknown): boolean {
  const metadata = (error as { $metadata?: { clockSkewCorrected?: unknown } } | null)?.$metadata
  return metadata?.clockSkewCorrected === true
}

/** Wait in ms: doubled with each try, less up to half, so that workers don't retry together. */
function backoffMs(tries: number, random: Random): number {
  const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (tries - 1))
  return fullMs * (1 - random.uniform() / 2)
}
