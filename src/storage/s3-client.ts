import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'

/** How to reach a bucket; the same as the settings below `s3`. */
export interface S3Access {
  /** Null: AWS itself, by region. */
  endpoint: string | null
  region: string
  /** Both null: the SDK's own chain (environment, profile, instance role). */
  accessKeyId: string | null
  secretAccessKey: string | null
  /** Bucket in the path instead of the host's name; null: yes when there is an endpoint. */
  pathStyle: boolean | null
  /** `always` sends and checks CRCs on everything, which many servers other than AWS get wrong. */
  checksums: 'when_required' | 'always'
}

const CONNECT_TIMEOUT_MS = 5_000
/** From the request's first byte to the head of the answer; a part of 8 MiB fits at 0.5 Mbit/s. */
const ANSWER_TIMEOUT_MS = 150_000
/** Without a byte in either direction. */
const IDLE_TIMEOUT_MS = 60_000
/** Of one request, by the SDK, with its own backoff. */
const TRIES_MAX = 4
const SOCKETS_MAX = 128

/** A client with bounded timeouts; it opens no connection before the first request. */
export function createS3Client(access: S3Access): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = access
  const checksums = access.checksums === 'always' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const config: S3ClientConfig = {
    region,
    forcePathStyle: access.pathStyle ?? endpoint !== null,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: TRIES_MAX,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: ANSWER_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      socketTimeout: IDLE_TIMEOUT_MS,
      httpAgent: { maxSockets: SOCKETS_MAX },
      httpsAgent: { maxSockets: SOCKETS_MAX },
    },
  }
  if (endpoint !== null) config.endpoint = endpoint
  if (accessKeyId !== null && secretAccessKey !== null) {
    config.credentials = { accessKeyId, secretAccessKey }
  }
  return withoutVersionNotice(() => new S3Client(config))
}

/**
 * The SDK announces on Node 20 that its releases of 2027 will need Node 22. This release is pinned,
 * so the notice tells operators nothing; any other warning passes.
 */
function withoutVersionNotice<T>(create: () => T): T {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!String(warning).includes('NodeVersionSupportWarning')) {
      emitWarning.call(process, warning, ...rest)
    }
  }) as typeof emitWarning
  try {
    return create()
  } finally {
    process.emitWarning = emitWarning
  }
}
