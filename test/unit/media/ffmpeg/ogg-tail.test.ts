import { describe, expect, it } from 'vitest'
import { OGG_PAGE_BYTES_MAX, oggTail } from '../../../../src/media/ffmpeg/ogg-tail.js'

function page(flags: number, body: Buffer): Buffer {
  const segments = Math.floor(body.length / 255) + 1
  const header = Buffer.alloc(27 + segments, 255)
  header.fill(0, 0, 27)
  header.write('OggS')
  header[5] = flags
  header[26] = segments
  header[26 + segments] = body.length % 255
  return Buffer.concat([header, body])
}

const audio = Buffer.alloc(1_000, 7)
const first = page(2, audio)
const last = page(4, audio)

describe('oggTail', () => {
  it('tells a closed stream from one that was stopped', () => {
    expect(oggTail(Buffer.concat([first, last]))).toBe('complete')
    expect(oggTail(Buffer.concat([first, page(0, audio)]))).toBe('open')
    expect(oggTail(Buffer.concat([first, last, Buffer.from('TAG behind it')]))).toBe('complete')
  })

  it('sees a cut anywhere in the last page', () => {
    const whole = Buffer.concat([first, last])
    for (let bytes = first.length + 6; bytes < whole.length; bytes += 1) {
      expect(oggTail(whole.subarray(0, bytes))).toBe('cut')
    }
  })

  it('is not misled by the capture pattern inside a packet', () => {
    const body = Buffer.concat([audio, Buffer.from('OggS\x07\x00 spoken aloud')])
    expect(oggTail(page(4, body))).toBe('complete')
    expect(oggTail(body)).toBe('none')
  })

  it('finds the longest page in as many bytes', () => {
    const longest = page(4, Buffer.alloc(255 * 255 - 1))
    expect(longest.length).toBe(OGG_PAGE_BYTES_MAX - 1)
    expect(oggTail(longest)).toBe('complete')
  })
})
