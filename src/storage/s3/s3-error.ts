import {
  ConfigError,
  InputError,
  NightscribeError,
  reasonOf,
  systemCode,
  UpstreamError,
} from '../../kernel/errors.js'

/** The request that failed, and the store that it was for. */
export interface S3Attempt {
  action: 'read' | 'write' | 'list' | 'delete'
  /** Key or prefix without the store's own prefix. */
  key: string
  /** `s3://bucket/prefix` */
  location: string
  /** Address of the S3 server; null: AWS by region. */
  endpoint: string | null
  checksums: 'when_required' | 'always'
  /** True once the store has answered: its address then can't be the mistake. */
  proven: boolean
}

const BUCKET_CODES = new Set(['NoSuchBucket', 'InvalidBucketName'])
const CREDENTIAL_CODES = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'ExpiredToken',
  'TokenRefreshRequired',
  'InvalidSecurity',
  'NotSignedUp',
])
const REGION_CODES = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
])
const CHECKSUM_CODES = new Set(['BadDigest', 'InvalidDigest', 'XAmzContentSHA256Mismatch'])
const CODELESS = new Set(['NotFound', 'UnknownError', 'SyntaxError', 'Error'])
const MISSING_CODES = new Set(['NoSuchKey', 'NotFound', 'NoSuchVersion'])
const UNSTORABLE_CODES = new Set(['KeyTooLongError', 'EntityTooLarge'])
const ACTION = { read: 'GetObject', write: 'PutObject', list: 'ListBucket', delete: 'DeleteObject' }
const VERB = { read: 'Reading', write: 'Storing', list: 'Listing', delete: 'Deleting' }

/** HTTP status of an SDK error; null where there was no answer. */
export function s3Status(error: unknown): number | null {
  const metadata = (error as { $metadata?: { httpStatusCode?: unknown } } | null)?.$metadata
  return typeof metadata?.httpStatusCode === 'number' ? metadata.httpStatusCode : null
}

/** The server's error code (`NoSuchKey`), or the SDK's own name for the error. */
export function s3Code(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

/** Maps an error of the SDK to a class and a sentence. A 412 on a read means `media_changed`. */
export function s3Error(error: unknown, attempt: S3Attempt): NightscribeError {
  if (error instanceof NightscribeError) return error
  return settingError(error, attempt) ?? keyError(error, attempt) ?? upstreamError(error, attempt)
}

/** The error that a wrong setting causes, naming the setting; null for any other. */
function settingError(error: unknown, attempt: S3Attempt): ConfigError | null {
  const code = s3Code(error)
  const status = s3Status(error)
  const { location, endpoint } = attempt
  const server = endpoint ?? 'AWS'
  if (BUCKET_CODES.has(code)) {
    return configError(
      error,
      `There is no bucket for ${location} at ${server}: make it, or correct
      NIGHTSCRIBE_STORAGE.`,
    )
  }
  if (code === 'CredentialsProviderError') {
    return configError(
      error,
      `There are no credentials for ${location}: set NIGHTSCRIBE_S3_ACCESS_KEY_ID and
      NIGHTSCRIBE_S3_SECRET_ACCESS_KEY, or an AWS profile.`,
    )
  }
  if (CREDENTIAL_CODES.has(code)) {
    return configError(
      error,
      `${server} refuses the credentials for ${location} (${code}): correct
      NIGHTSCRIBE_S3_ACCESS_KEY_ID and NIGHTSCRIBE_S3_SECRET_ACCESS_KEY.`,
    )
  }
  if (REGION_CODES.has(code) || status === 301) {
    return configError(
      error,
      `${location} is in another region than asked at ${server} (${code}):
      correct NIGHTSCRIBE_S3_REGION or NIGHTSCRIBE_S3_ENDPOINT.`,
    )
  }
  if (code === 'RequestTimeTooSkewed') {
    return configError(error, `${server} refuses the time of this machine: set its clock right.`)
  }
  const isChecksum = status === 501 || status === 411 || CHECKSUM_CODES.has(code)
  if (attempt.checksums === 'always' && attempt.action === 'write' && isChecksum) {
    return configError(
      error,
      `${server} can't take uploads with checksums (${code}): set
      NIGHTSCRIBE_S3_CHECKSUMS to when_required.`,
    )
  }
  if (attempt.action === 'write' && status === 501) {
    return configError(
      error,
      `${server} has no conditional writes (${code}), which commits need: set
      NIGHTSCRIBE_STORAGE to another store.`,
    )
  }
  if (!isWrongServer(error, attempt.proven)) return null
  return configError(
    error,
    `${server} doesn't answer like an S3 server (${briefly(error)}): correct
    NIGHTSCRIBE_S3_ENDPOINT.`,
  )
}

/** Whether the server isn't one of S3: no address for its name, broken TLS, foreign answers. */
function isWrongServer(error: unknown, proven: boolean): boolean {
  if (proven) return false
  const errno = systemCode(error) ?? ''
  if (errno === 'ENOTFOUND' || errno === 'EPROTO' || errno === 'ERR_INVALID_URL') return true
  if (/^(HPE_|ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(errno)) return true
  const status = s3Status(error)
  if (status === null) return false
  // Every error of S3 has a code in its body; `CODELESS` are the SDK's names where it is missing.
  const isCode = /^[A-Z][A-Za-z]+$/.test(s3Code(error)) && !CODELESS.has(s3Code(error))
  return status < 500 && status !== 429 && !isCode
}

/** The error for one object or the right to access it; null for any other. */
function keyError(error: unknown, attempt: S3Attempt): NightscribeError | null {
  const code = s3Code(error)
  const status = s3Status(error)
  const { action, key, location } = attempt
  const options = { cause: error, facts: { key, status, s3Code: code } }
  // A 404 alone doesn't mean a missing object: a proxy gives it too while its server is down.
  if (MISSING_CODES.has(code)) {
    return new InputError('input_not_found', `There is no ${key} in ${location}.`, options)
  }
  if (status === 412 && action === 'read') {
    const sentence = `${key} in ${location} was changed after the first look: submit it again.`
    return new InputError('media_changed', sentence, options)
  }
  if (code === 'InvalidObjectState') {
    const sentence = `${key} in ${location} lies in an archive tier: restore it first.`
    return new InputError('input_unsupported', sentence, options)
  }
  if (UNSTORABLE_CODES.has(code)) {
    const sentence = `${key} can't be stored in ${location} (${code}): it is too long or too large.`
    return new InputError('input_unsupported', sentence, options)
  }
  if (code !== 'AccessDenied' && status !== 403) return null
  const sentence =
    `${VERB[action]} ${key || 'everything'} in ${location} is denied: ` +
    `allow s3:${ACTION[action]} there to these credentials.`
  if (action === 'read' || action === 'list') {
    return new InputError('input_forbidden', sentence, options)
  }
  return new UpstreamError('output_write_failed', sentence, { ...options, effect: 'none' })
}

function upstreamError(error: unknown, attempt: S3Attempt): UpstreamError {
  const { action, key, location, endpoint } = attempt
  const errno = systemCode(error)
  const status = s3Status(error)
  const refused = errno === 'ECONNREFUSED' || errno === 'ENOTFOUND' || errno === 'EAI_AGAIN'
  const advice = refused ? ': is it running, and is NIGHTSCRIBE_S3_ENDPOINT right?' : '.'
  const isRead = action === 'read' || action === 'list'
  return new UpstreamError(
    isRead ? 'storage_unavailable' : 'output_write_failed',
    `${VERB[action]} ${key || 'everything'} in ${location} failed at ${endpoint ?? 'AWS'} ` +
      `(${briefly(error)})${advice}`,
    {
      cause: error,
      facts: { key, status, errno },
      effect: isRead || refused ? 'none' : 'unknown',
    },
  )
}

function briefly(error: unknown): string {
  const status = s3Status(error)
  const code = systemCode(error) ?? s3Code(error)
  if (status !== null && status >= 300) return `HTTP ${status} ${code}`.trimEnd()
  const reason = reasonOf(error).replace(/^@smithy\/[a-z-]+ - (\[\w+\] )?/, '')
  return code && !reason.includes(code) ? `${code}, ${reason}` : reason
}

function configError(cause: unknown, sentence: string): ConfigError {
  return new ConfigError('config_invalid', sentence.replace(/\s+/g, ' '), {
    cause,
    facts: { s3Code: s3Code(cause), status: s3Status(cause) },
  })
}
