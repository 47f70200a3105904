import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'

/** How to reach a bucket: the settings below `s3`. */
export interface S3Access {
  /** Address of the S3 server; null: AWS itself, by region. */
  endpoint: string | null
  region: string
  /** Both null: the SDK's own chain (environment, profile, instance role). */
  accessKeyId: string | null
  secretAccessKey: string | null
  /** True: the bucket is in the path instead of the host; null: true where there is an endpoint. */
  pathStyle: boolean | null
  /** `always`: CRCs for all requests and answers, which many servers other than AWS get wrong. */
  checksums: 'when_required' | 'always'
}

/** Time limits of a request. */
export interface S3Timeouts {
  /** Time limit from the request's first byte to the head of the answer, in ms. */
  answerMs: number
  /** Time limit without a byte in either direction, within a body too, in ms. */
  idleMs: number
}

const CONNECT_TIMEOUT_MS = 5_000
/** Default limits: 150 s are enough for the upload of a part of 8 MiB at 0.5 Mbit/s. */
const TIMEOUTS: S3Timeouts = { answerMs: 150_000, idleMs: 60_000 }
const SOCKETS_MAX = 128

/**
 * A client with time limits that tries each request once; `s3-retry.ts` repeats requests. It opens
 * no connection before the first one.
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
 * Suppresses the SDK's notice on Node 20 that its releases of 2027 will need Node 22: the SDK's
 * release is pinned, so the notice is of no use to operators. Any other warning passes.
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
