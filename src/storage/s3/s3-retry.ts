import type { S3Client } from '@aws-sdk/client-s3'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { systemCode } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import { s3Code, s3Status } from './s3-error.js'

/** Tries of one request: with the waits between them about 18 s, a restart of most servers. */
const TRIES_MAX = 8
/** Most tries of a request that runs out of time, because each costs a minute. */
const TIMED_OUT_TRIES_MAX = 3
/**
 * For a request without any answer, before the server has ever answered: its address may be wrong.
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

/** Clock, chance and the observer of requests that are tried again. */
export interface S3Patience {
  clock: Clock
  random: Random
  /** Whether this server has answered before. */
  isProven: () => boolean
  /** A request is about to be sent again; for metrics. */
  onRetry?: (() => void) | undefined
}

/**
 * A view of a client whose requests are tried again where the server was busy, broke down or
 * couldn't be reached; the client itself must try once. Unlike the SDK's own waits these end with
 * the request's signal, so that a stop doesn't last as long as a backoff.
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

/** How often a request is made that ends like this; 1 where trying again can't help. */
export function triesMax(error: unknown, isProven: boolean): number {
  if (s3Status(error) === null) return triesUnanswered(error, isProven)
  const isBusy = BUSY_CODES.has(s3Code(error)) || BUSY_STATUSES.has(s3Status(error) ?? 0)
  // The SDK has learnt the server's time from the refusal; the next request is signed with that.
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

/** Doubling, less up to a half by chance, so that a crowd doesn't come back in one instant. */
function backoffMs(tries: number, random: Random): number {
  const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (tries - 1))
  return fullMs * (1 - random.uniform() / 2)
}
