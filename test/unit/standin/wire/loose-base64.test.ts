import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64Loosely } from '../../../../gpu/standin/wire/loose-base64.js'

describe('base64 as vLLM decodes it', () => {
  // What pybase64 1.5.1, the decoder of vLLM 0.32, makes of each; null where it raises an error.
  it.each([
    ['', ''],
    ['YWJj', '616263'],
    ['YW Jj', '616263'],
    ['YWJ\njYWJj', '616263616263'],
    ['YWJjZA==', '61626364'],
    ['YWJjZA==%%', '61626364'],
    ['YWJjZA=%=', '61626364'],
    ['%%%%', ''],
    ['-_-_', ''],
    ['====', ''],
    ['AAAA=', '000000'],
    ['AA==AA==', '000000'],
    ['YWJjZA', null],
    ['YWJjZA=', null],
    ['YWJjZA==YWJj', null],
    ['Y=WJ', null],
    ['A', null],
    ['AA', null],
    ['AAA', null],
    ['é', null],
  ])('%j gives %j', (text, hex) => {
    expect(decodeBase64Loosely(text)?.toString('hex') ?? null).toBe(hex)
  })

  it('decodes what was encoded, with anything strewn in', () => {
    const junk = fc.constantFrom('', ' ', '\n', '-', '_', '%', '.')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(junk), (bytes, strewn) => {
        const text = Buffer.from(bytes).toString('base64')
        expect(decodeBase64Loosely(text)).toEqual(Buffer.from(bytes))
        const dirty = [...text].map((letter, index) => letter + (strewn[index] ?? '')).join('')
        expect(decodeBase64Loosely(dirty)).toEqual(Buffer.from(bytes))
      }),
    )
  })
})
