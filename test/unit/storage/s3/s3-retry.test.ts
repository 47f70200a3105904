import { describe, expect, it } from 'vitest'
import { triesMax } from '../../../../src/storage/s3/s3-retry.js'

const named = (name: string, facts: object = {}) =>
  Object.assign(new Error(name), { name, ...facts })
const answered = (name: string, httpStatusCode: number, facts: object = {}) =>
  named(name, { $metadata: { httpStatusCode, ...facts } })
const unanswered = (code: string) => named('TimeoutError', { code, $metadata: {} })

describe('how often a request to S3 is made', () => {
  it.each<[string, Error, number, number]>([
    ['slow down', answered('SlowDown', 503), 8, 8],
    ['too many', answered('TooManyRequestsException', 429), 8, 8],
    ['broken', answered('InternalError', 500), 8, 8],
    ['broken, told in the body of a 200', answered('InternalError', 200), 8, 8],
    ['a proxy without its server', answered('UnknownError', 502), 8, 8],
    ['the answer to HEAD, which has no code', answered('503', 503), 8, 8],
    ['reset', unanswered('ECONNRESET'), 8, 8],
    ['refused', unanswered('ECONNREFUSED'), 8, 3],
    ['name server busy', named('Error', { code: 'EAI_AGAIN' }), 8, 3],
    ['no answer in time', unanswered('ETIMEDOUT'), 3, 3],
    ['silent connection', named('TimeoutError'), 3, 3],
    [
      'wrong time, which the SDK has corrected',
      answered('RequestTimeTooSkewed', 403, { clockSkewCorrected: true }),
      8,
      8,
    ],
    ['wrong time', answered('RequestTimeTooSkewed', 403), 1, 1],
    ['denied', answered('AccessDenied', 403), 1, 1],
    ['missing', answered('NoSuchKey', 404), 1, 1],
    ['no bucket', answered('NoSuchBucket', 404), 1, 1],
    ['other content', answered('PreconditionFailed', 412), 1, 1],
    ['no conditional writes', answered('NotImplemented', 501), 1, 1],
    ['no such name', named('Error', { code: 'ENOTFOUND' }), 1, 1],
    ['our own bug', new TypeError('undefined is not a function'), 1, 1],
  ])('%s', (_, error, proven, unproven) => {
    expect([triesMax(error, true), triesMax(error, false)]).toEqual([proven, unproven])
  })
})
