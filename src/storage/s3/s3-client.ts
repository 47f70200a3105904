import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'

/** How to reach a bucket; the same as the settings below `s3`. */
export interface S3Access {
  /** Address of the S3 server; null: AWS itself, by region. */
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

/** How long a request may take. */
export interface S3Timeouts {
  /** Time limit from the request's first byte to the head of the answer, in ms. */
  answerMs: number
  /** Without a byte in either direction, in the middle of a body too. */
  idleMs: number
}

const CONNECT_TIMEOUT_MS = 5_000
/** A part of 8 MiB has its answer in time at 0.5 Mbit/s. */
const TIMEOUTS: S3Timeouts = { answerMs: 150_000, idleMs: 60_000 }
const SOCKETS_MAX = 128

/**
 * A client with bounded timeouts that tries each request once (`s3-retry.ts` tries again); it opens
 * no connection before the first request.
 */
export function createS3Client(access: S3Access, timeouts: S3Timeouts = TIMEOUTS): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = access
  const checksums = access.checksums === 'always' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const config: S3ClientConfig = {
    region,
    forcePathStyle: access.pathStyle ?? endpoint !== null,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: timeouts.answerMs,
      throwOnRequestTimeout: true,
      socketTimeout: timeouts.idleMs,
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
