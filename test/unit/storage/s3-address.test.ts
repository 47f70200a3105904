import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/kernel/clock.js'
import { NightscribeError, StopRequested } from '../../../src/kernel/errors.js'
import { systemRandom } from '../../../src/kernel/random.js'
import { openS3Store } from '../../../src/storage/s3/s3-object-store.js'

const { signal } = new AbortController()
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const DAY_MS = 24 * 3_600_000

function storeOf(url: string, endpoint: string | null, region: string) {
  return openS3Store({
    ...{ url, endpoint, region, accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET },
    ...{ pathStyle: null, checksums: 'when_required', clock: systemClock() },
    random: systemRandom(),
  })
}

/** A store, and where a server finds its keys: host, and what stands before a key in the path. */
const PLACES = [
  ['s3://meetings', 'http://127.0.0.1:9000', 'us-east-1', '127.0.0.1:9000', '/meetings/'],
  ['s3://meetings/a b/c', 'https://s3.example.org', 'eu-1', 's3.example.org', '/meetings/a b/c/'],
  ['s3://meetings/x', null, 'eu-central-1', 'meetings.s3.eu-central-1.amazonaws.com', '/x/'],
] as const
const stores = PLACES.map(([url, endpoint, region]) => storeOf(url, endpoint, region))
const place = fc.constantFrom(...PLACES.keys())

/** Keys without `.` and `..` between slashes: every reader of URLs takes those away. */
const key = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
      fc.constantFrom('+', '%2F', '%', ' ', '?a=b&c', '#', '(1)!*\'"', '\\', 'ümläut', '…', '~_-'),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.join('/'))
  .filter((made) => !made.split('/').some((part) => /^\.{1,2}$/.test(part)))
const validMs = fc.integer({ min: 1, max: 30 * DAY_MS })

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (secret: string | Buffer, text: string) =>
  createHmac('sha256', secret).update(text).digest()
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (letter) => {
    return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`
  })

/** The signature that a server works out for a presigned GET, by the rules of AWS alone. */
function signatureOf(request: { host: string; path: string; query: Map<string, string> }): string {
  const { host, path, query } = request
  const [, day = '', region = '', service = '', end = ''] =
    query.get('X-Amz-Credential')?.split('/') ?? []
  const signed = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
  const canonicalPath = path.split('/').map(encoded).join('/')
  const canonical = ['GET', canonicalPath, signed.join('&'), `host:${host}`, '', 'host']
  const scope = [day, region, service, end].join('/')
  const date = query.get('X-Amz-Date') ?? ''
  const hash = sha256([...canonical, 'UNSIGNED-PAYLOAD'].join('\n'))
  const toSign = ['AWS4-HMAC-SHA256', date, scope, hash].join('\n')
  const signing = hmac(hmac(hmac(hmac(`AWS4${SECRET}`, day), region), service), end)
  return hmac(signing, toSign).toString('hex')
}

/** A URL as a server gets it, by hand: what a client's URL class makes of it is looked at apart. */
function requestOf(url: string) {
  const [, host = '', path = '', search = ''] = /^https?:\/\/([^/]+)([^?]*)\?(.*)$/.exec(url) ?? []
  const pairs = search.split('&').map((pair): [string, string] => {
    const [name = '', value = ''] = pair.split('=')
    return [decodeURIComponent(name), decodeURIComponent(value)]
  })
  return { host, path: decodeURIComponent(path), rawPath: path, query: new Map(pairs) }
}

describe('a presigned address', () => {
  it('is one that a server finds signed right, of this object and no other', async () => {
    await fc.assert(
      fc.asyncProperty(place, key, validMs, async (at, name, ms) => {
        const [, , region, atHost, base] = PLACES[at] as (typeof PLACES)[number]
        const url = await stores[at]?.address(name, { signal, validMs: ms })
        const { host, path, rawPath, query } = requestOf(url ?? '')
        expect([host, path]).toEqual([atHost, base + name])
        // Clients send the path as it stands here.
        expect(new URL(url ?? '').pathname).toBe(rawPath)
        expect(query.get('X-Amz-Credential')).toMatch(
          new RegExp(`^AKIDEXAMPLE/\\d{8}/${region}/s3/aws4_request$`),
        )
        expect(query.get('X-Amz-SignedHeaders')).toBe('host')
        const signature = query.get('X-Amz-Signature')
        expect(signature).toBe(signatureOf({ host, path, query }))
        expect(signature).not.toBe(signatureOf({ host, path: `${path}x`, query }))
      }),
    )
  })

  it('holds as long as was asked for, a week at most, and tells no secret', async () => {
    await fc.assert(
      fc.asyncProperty(place, validMs, async (at, ms) => {
        const url = (await stores[at]?.address('a.wav', { signal, validMs: ms })) ?? ''
        const heldMs = Number(requestOf(url).query.get('X-Amz-Expires')) * 1000
        expect(heldMs).toBeGreaterThanOrEqual(Math.min(ms, 7 * DAY_MS))
        expect(heldMs).toBeLessThan(Math.min(ms + 1000, 7 * DAY_MS + 1))
        expect(decodeURIComponent(url)).not.toContain(SECRET)
      }),
      { numRuns: 30 },
    )
  })

  it('is refused with a coded sentence, or given, for any text as a key', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ud800', '..', '/'))
    await fc.assert(
      fc.asyncProperty(place, text, async (at, name) => {
        const asked = stores[at]?.address(name, { signal, validMs: 1_000 })
        const outcome: unknown = await asked?.catch((error: unknown) => error)
        if (typeof outcome === 'string') return void expect(outcome).toMatch(/^https?:/)
        expect(outcome).toBeInstanceOf(NightscribeError)
        // Another try gives the same: the key is wrong, not the store.
        expect(outcome).toMatchObject({ code: 'input_unsupported', retryable: false })
      }),
    )
  })

  it('is not made for somebody who was stopped', async () => {
    const reason = new StopRequested('canceled', 'Stop.')
    const stopped = { signal: AbortSignal.abort(reason), validMs: 1_000 }
    await expect(stores[0]?.address('k', stopped)).rejects.toBe(reason)
  })
})
