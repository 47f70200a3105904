import { describe, expect, it } from 'vitest'
import { ConfigError, InputError } from '../../../../src/kernel/errors.js'
import { type S3Attempt, s3Error } from '../../../../src/storage/s3/s3-error.js'

const attempt: S3Attempt = {
  action: 'read',
  key: 'inbox/a.wav',
  location: 's3://bucket/night',
  endpoint: 'http://127.0.0.1:9000',
  checksums: 'when_required',
  proven: false,
}

/** An error as the SDK throws it. */
function answered(name: string, httpStatusCode: number): Error {
  return Object.assign(new Error(`the server said ${name}`), {
    name,
    $metadata: { httpStatusCode },
  })
}

const unanswered = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

const write = { action: 'write' } as const
const list = { action: 'list' } as const
const proven = { proven: true }
const always = { checksums: 'always', ...write } as const

describe('what an error of S3 is', () => {
  it.each<[string, Error, Partial<S3Attempt>, string, string, string]>([
    ['missing key', answered('NoSuchKey', 404), {}, 'InputError', 'input_not_found', 'inbox/a.wav'],
    [
      'missing, no code',
      answered('NotFound', 404),
      proven,
      'InputError',
      'input_not_found',
      'a.wav',
    ],
    ['denied', answered('AccessDenied', 403), {}, 'InputError', 'input_forbidden', 's3:GetObject'],
    [
      'denied list',
      answered('AccessDenied', 403),
      list,
      'InputError',
      'input_forbidden',
      's3:List',
    ],
    [
      'denied put',
      answered('AccessDenied', 403),
      write,
      'UpstreamError',
      'output_write_failed',
      's3:Put',
    ],
    ['changed', answered('PreconditionFailed', 412), {}, 'InputError', 'media_changed', 'a.wav'],
    [
      'archived',
      answered('InvalidObjectState', 403),
      {},
      'InputError',
      'input_unsupported',
      'restore',
    ],
    [
      'bucket',
      answered('NoSuchBucket', 404),
      {},
      'ConfigError',
      'config_invalid',
      'NIGHTSCRIBE_STORAGE',
    ],
    [
      'secret',
      answered('SignatureDoesNotMatch', 403),
      {},
      'ConfigError',
      'config_invalid',
      '_SECRET_ACCESS_KEY',
    ],
    [
      'no keys',
      answered('CredentialsProviderError', 0),
      {},
      'ConfigError',
      'config_invalid',
      '_ACCESS_KEY_ID',
    ],
    [
      'a 404 that is not S3’s',
      answered('Error', 404),
      { proven: true },
      'UpstreamError',
      'storage_unavailable',
      'HTTP 404',
    ],
    [
      'region',
      answered('PermanentRedirect', 301),
      {},
      'ConfigError',
      'config_invalid',
      '_S3_REGION',
    ],
    ['clock', answered('RequestTimeTooSkewed', 403), {}, 'ConfigError', 'config_invalid', 'clock'],
    [
      'checksums',
      answered('NotImplemented', 501),
      always,
      'ConfigError',
      'config_invalid',
      '_S3_CHECKSUMS',
    ],
    [
      'no If-None-Match',
      answered('NotImplemented', 501),
      write,
      'ConfigError',
      'config_invalid',
      'conditional',
    ],
    [
      'web page',
      answered('UnknownError', 404),
      {},
      'ConfigError',
      'config_invalid',
      '_S3_ENDPOINT',
    ],
    ['no such host', unanswered('ENOTFOUND'), {}, 'ConfigError', 'config_invalid', '_S3_ENDPOINT'],
    [
      'host went',
      unanswered('ENOTFOUND'),
      proven,
      'UpstreamError',
      'storage_unavailable',
      'ENOTFOUND',
    ],
    [
      'TLS',
      unanswered('DEPTH_ZERO_SELF_SIGNED_CERT'),
      {},
      'ConfigError',
      'config_invalid',
      '_S3_ENDPOINT',
    ],
    [
      'refused',
      unanswered('ECONNREFUSED'),
      {},
      'UpstreamError',
      'storage_unavailable',
      '127.0.0.1:9000',
    ],
    [
      'reset',
      unanswered('ECONNRESET'),
      write,
      'UpstreamError',
      'output_write_failed',
      'ECONNRESET',
    ],
    ['busy', answered('SlowDown', 503), {}, 'UpstreamError', 'storage_unavailable', '503 SlowDown'],
    ['throttled', answered('UnknownError', 429), {}, 'UpstreamError', 'storage_unavailable', '429'],
    [
      'broken',
      answered('InternalError', 500),
      write,
      'UpstreamError',
      'output_write_failed',
      '500',
    ],
  ])('%s', (_, error, differences, name, code, words) => {
    const classified = s3Error(error, { ...attempt, ...differences })
    expect(classified).toMatchObject({ name, code, cause: error })
    expect(classified.message).toContain(words)
    expect(classified.message).not.toMatch(/\s{2}|\n/)
  })

  it('knows what certainly had no effect', () => {
    const effects = [
      s3Error(unanswered('ECONNREFUSED'), { ...attempt, ...write }),
      s3Error(unanswered('ECONNRESET'), { ...attempt, ...write }),
      s3Error(unanswered('ECONNRESET'), attempt),
    ].map((error) => (error as { effect?: string }).effect)
    expect(effects).toEqual(['none', 'unknown', 'none'])
  })

  it('leaves what is classified already as it is', () => {
    const error = new InputError('media_changed', 'changed')
    expect(s3Error(error, attempt)).toBe(error)
    expect(error).not.toBeInstanceOf(ConfigError)
  })
})
