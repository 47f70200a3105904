import { describe, expect, it } from 'vitest'
import {
  id3Bytes,
  mp3DeclaredMs,
  wavDeclaredMs,
} from '../../../../src/media/ffmpeg/declared-duration.js'

function mp3Frame(options: { header: number[]; tag: string; tagAt: number; frames: number }) {
  const frame = Buffer.alloc(512)
  Buffer.from(options.header).copy(frame)
  frame.write(options.tag, options.tagAt, 'latin1')
  if (options.tag === 'VBRI') frame.writeUInt32BE(options.frames, options.tagAt + 14)
  else {
    frame.writeUInt32BE(1, options.tagAt + 4)
    frame.writeUInt32BE(options.frames, options.tagAt + 8)
  }
  return frame
}

function wav(options: { riff?: string; dataBytes: number; ds64?: bigint; extra?: number }) {
  const chunks = [Buffer.from(`${options.riff ?? 'RIFF'}\xff\xff\xff\xffWAVE`, 'latin1')]
  if (options.ds64 !== undefined) {
    const ds64 = Buffer.alloc(36)
    ds64.write('ds64')
    ds64.writeUInt32LE(28, 4)
    ds64.writeBigUInt64LE(options.ds64, 16)
    chunks.push(ds64)
  }
  const format = Buffer.alloc(24)
  format.write('fmt ')
  format.writeUInt32LE(16, 4)
  format.writeUInt32LE(32_000, 16)
  chunks.push(format)
  if (options.extra !== undefined) {
    const extra = Buffer.alloc(8 + options.extra + (options.extra & 1))
    extra.write('LIST')
    extra.writeUInt32LE(options.extra, 4)
    chunks.push(extra)
  }
  const data = Buffer.alloc(8)
  data.write('data')
  data.writeUInt32LE(options.dataBytes, 4)
  return Buffer.concat([...chunks, data])
}

const STEREO_44100 = [0xff, 0xfb, 0x90, 0x00]
const MONO_44100 = [0xff, 0xfb, 0x90, 0xc0]
const MONO_22050 = [0xff, 0xf3, 0x80, 0xc0]

describe('mp3DeclaredMs', () => {
  it.each([
    ['Xing, stereo', { header: STEREO_44100, tag: 'Xing', tagAt: 36, frames: 44_100 }, 1_152_000],
    ['Info, mono', { header: MONO_44100, tag: 'Info', tagAt: 21, frames: 44_100 }, 1_152_000],
    ['MPEG 2, mono', { header: MONO_22050, tag: 'Xing', tagAt: 13, frames: 22_050 }, 576_000],
    ['VBRI', { header: STEREO_44100, tag: 'VBRI', tagAt: 36, frames: 44_100 }, 1_152_000],
  ])('reads the frame count of %s', (_, frame, expectedMs) => {
    expect(mp3DeclaredMs(mp3Frame(frame))).toBe(expectedMs)
  })

  it('gives null without such a header, without a count, and without a frame', () => {
    const plain = { header: STEREO_44100, tag: 'none', tagAt: 36, frames: 9 }
    expect(mp3DeclaredMs(mp3Frame(plain))).toBeNull()
    expect(mp3DeclaredMs(mp3Frame({ ...plain, tag: 'Xing', frames: 0 }))).toBeNull()
    expect(mp3DeclaredMs(Buffer.alloc(512))).toBeNull()
    expect(mp3DeclaredMs(Buffer.from(STEREO_44100))).toBeNull()
  })
})

describe('id3Bytes', () => {
  it('reads the syncsafe size and adds header and footer', () => {
    const tag = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 2, 1])
    expect(id3Bytes(tag)).toBe(10 + 257)
    tag[5] = 0x10
    expect(id3Bytes(tag)).toBe(10 + 257 + 10)
    expect(id3Bytes(Buffer.from(STEREO_44100))).toBe(0)
  })
})

describe('wavDeclaredMs', () => {
  it('divides the data chunk by the byte rate, whatever stands before it', () => {
    expect(wavDeclaredMs(wav({ dataBytes: 64_000 }))).toBe(2_000)
    expect(wavDeclaredMs(wav({ dataBytes: 64_000, extra: 31 }))).toBe(2_000)
    expect(wavDeclaredMs(wav({ riff: 'RF64', dataBytes: 0xffff_ffff, ds64: 2n ** 33n }))).toBe(
      (2 ** 33 * 1000) / 32_000,
    )
  })

  it('gives null for streamed files and for what is no wav', () => {
    for (const dataBytes of [0, 0x7fff_ffff, 0xffff_ffff]) {
      expect(wavDeclaredMs(wav({ dataBytes }))).toBeNull()
    }
    expect(wavDeclaredMs(Buffer.from('RIFF....AVI '))).toBeNull()
    expect(wavDeclaredMs(Buffer.alloc(4))).toBeNull()
  })
})
