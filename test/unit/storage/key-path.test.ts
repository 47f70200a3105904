import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isPieceName,
  namesOfKey,
  segmentOfName,
  segmentOfPieces,
} from '../../../src/storage/key-path.js'

const pathOf = (key: string) => namesOfKey(key).join('/')

/** The key of a chain of names, as a walk of the folder would put it together. */
function keyOf(names: readonly Buffer[]): string {
  const segments: (string | null)[] = []
  let pieces: Buffer[] = []
  names.forEach((name, index) => {
    pieces.push(name)
    if (isPieceName(name) && index < names.length - 1) return
    segments.push(pieces.length > 1 ? segmentOfPieces(pieces) : segmentOfName(name))
    pieces = []
  })
  return segments.join('/')
}

describe('what a key is called on disk', () => {
  it.each([
    ['jobs/j1/job.json', 'jobs/j1/job.json'],
    ['inbox/Müller 100% 🎙.wav', 'inbox/Müller 100% 🎙.wav'],
    ['a%20b.wav', 'a%20b.wav'],
    ['..', '%~..'],
    ['../../etc/passwd', '%~../%~../etc/passwd'],
    ['./a', '%~./a'],
    ['/etc', '%~/etc'],
    ['a//b/', 'a/%~/b/%~'],
    ['.tmp/x', '%~.tmp/x'],
    ['line\nbreak', '%~line%0Abreak'],
    ['nul\0', '%~nul%00'],
    ['%~x', '%~%25~x'],
    ['%!x', '%~%25!x'],
    ['back\\slash', 'back\\slash'],
  ])('%j is %j', (key, path) => {
    expect(pathOf(key)).toBe(path)
    expect(keyOf(namesOfKey(key))).toBe(key)
  })

  it('splits a segment of more than 200 bytes between characters', () => {
    const names = namesOfKey('🎙'.repeat(100))
    expect(names.map((name) => name.length)).toEqual([200, 200, 10])
    expect(names.every((name) => Buffer.from(name.toString()).equals(name))).toBe(true)
    expect(keyOf(names)).toBe('🎙'.repeat(100))
  })
})

describe('names that a person gave', () => {
  it.each([
    ['line\nbreak.wav', '%!line%0Abreak.wav'],
    [`${'x'.repeat(220)}.wav`, `%!${'x'.repeat(220)}.wav`],
    ['%~abc', '%!%25~abc'],
    ['%~x%~', '%!%25~x%25~'],
    ['%!abc', '%!%25!abc'],
    ['%~%41', '%!%25~%2541'],
  ])('%j has the key %j', (name, key) => {
    expect(segmentOfName(Buffer.from(name))).toBe(key)
    expect(pathOf(key)).toBe(name)
  })

  it('has a key for a name in Latin-1', () => {
    const name = Buffer.from('M\xfcller.wav', 'latin1')
    expect(segmentOfName(name)).toBe('%!M%FCller.wav')
    expect(namesOfKey('%!M%FCller.wav')).toEqual([name])
  })

  it('has none for hidden names and for folders that only look like a split segment', () => {
    expect(segmentOfName(Buffer.from('.DS_Store'))).toBeNull()
    expect(segmentOfPieces([Buffer.from('%~short%~'), Buffer.from('%~rest')])).toBeNull()
    expect(segmentOfPieces([Buffer.from('%~short%~'), Buffer.from('rest')])).toBeNull()
  })
})

describe('properties', () => {
  const odd = fc.constantFrom(...'./%~!\n\0\x7f2Eaü🎙')
  const short = fc.string({ unit: fc.oneof(odd, fc.string({ minLength: 1, maxLength: 1 })) })
  const long = fc.string({ unit: odd, minLength: 150, maxLength: 700 })
  const anyKey = fc.oneof(short, long, fc.string({ unit: 'binary', maxLength: 300 }))

  it('leads every key to names that stay inside and never hide, and back', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const names = namesOfKey(key)
        expect(names.length).toBeGreaterThan(0)
        for (const name of names) {
          expect(name.length).toBeGreaterThan(0)
          expect(name.length).toBeLessThanOrEqual(255)
          expect(name.includes(0) || name.includes(0x2f) || name[0] === 0x2e).toBe(false)
        }
        expect(keyOf(names)).toBe(key)
      }),
      { numRuns: 2000 },
    )
  })

  it('leads every name that is not hidden to a key, and back', () => {
    const byte = fc.oneof(fc.constantFrom(0x25, 0x7e, 0x21, 0x2e, 0x41), fc.integer({ max: 255 }))
    const marked = fc.tuple(fc.constantFrom('', '%~', '%!'), fc.array(byte, { maxLength: 253 }))
    fc.assert(
      fc.property(marked, ([mark, bytes]) => {
        const safe = bytes.filter((value) => value > 0 && value !== 0x2f)
        const name = Buffer.concat([Buffer.from(mark), Buffer.from(safe)])
        fc.pre(name.length > 0 && name[0] !== 0x2e)
        const segment = segmentOfName(name)
        expect(segment).not.toBeNull()
        expect(namesOfKey(segment ?? '')).toEqual([name])
      }),
      { numRuns: 2000 },
    )
  })
})
