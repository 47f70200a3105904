/**
 * Reads the length that the header of an mp3 or wav states. ffprobe ignores it in a file that was
 * cut and estimates the length from the number of bytes: half a recording then looks complete.
 * Pure.
 */

const SAMPLES_PER_FRAME = { 1: 1152, 2: 576, 2.5: 576 } as const
const SAMPLE_RATES = {
  1: [44_100, 48_000, 32_000],
  2: [22_050, 24_000, 16_000],
  2.5: [11_025, 12_000, 8_000],
} as const

const tagAt = (bytes: Uint8Array, at: number, tag: string) =>
  at + tag.length <= bytes.length &&
  [...tag].every((letter, index) => bytes[at + index] === letter.charCodeAt(0))

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** Bytes of the ID3v2 tag in front of an mp3, with the tag's header; 0 where there is none. */
export function id3Bytes(head: Uint8Array): number {
  if (!tagAt(head, 0, 'ID3') || head.length < 10) return 0
  const footer = ((head[5] ?? 0) & 0x10) !== 0 ? 10 : 0
  let size = 0
  for (let at = 6; at < 10; at += 1) size = (size << 7) | ((head[at] ?? 0) & 0x7f)
  return 10 + size + footer
}

/**
 * Length of an mp3 in ms, by the frame count in its Xing, Info or VBRI header.
 * @param frame the bytes that follow the ID3v2 tag, 200 or more
 * @returns null when there is no such header (plain constant bit rate)
 */
export function mp3DeclaredMs(frame: Uint8Array): number | null {
  if (frame.length < 48 || frame[0] !== 0xff || ((frame[1] ?? 0) & 0xe6) !== 0xe2) return null
  const versionBits = ((frame[1] ?? 0) >> 3) & 3
  if (versionBits === 1) return null
  const version = versionBits === 3 ? 1 : versionBits === 2 ? 2 : 2.5
  const sampleRate = SAMPLE_RATES[version][((frame[2] ?? 0) >> 2) & 3]
  if (sampleRate === undefined) return null
  const mono = (frame[3] ?? 0) >> 6 === 3
  const sideBytes = version === 1 ? (mono ? 17 : 32) : mono ? 9 : 17
  const frames = vbriFrames(frame) ?? xingFrames(frame, 4 + sideBytes)
  return frames === null ? null : (frames * SAMPLES_PER_FRAME[version] * 1000) / sampleRate
}

function xingFrames(frame: Uint8Array, at: number): number | null {
  if (!tagAt(frame, at, 'Xing') && !tagAt(frame, at, 'Info')) return null
  if (at + 12 > frame.length) return null
  const hasFrames = (view(frame).getUint32(at + 4) & 1) === 1
  const frames = view(frame).getUint32(at + 8)
  return hasFrames && frames > 0 ? frames : null
}

function vbriFrames(frame: Uint8Array): number | null {
  if (!tagAt(frame, 36, 'VBRI') || frame.length < 54) return null
  return view(frame).getUint32(50) || null
}

/** Sizes from this value on are written by encoders that don't know the length of their stream. */
const WAV_SIZE_UNKNOWN = 0x7fff_0000

/**
 * Length in ms that the `data` chunk of a RIFF or RF64 wav states.
 * @returns null where the header has no length (streamed), or `data` doesn't begin within `head`
 */
export function wavDeclaredMs(head: Uint8Array): number | null {
  const { dataBytes, bytesPerSecond } = wavHeader(head) ?? { dataBytes: null, bytesPerSecond: 0 }
  return dataBytes !== null && bytesPerSecond > 0 ? (dataBytes * 1000) / bytesPerSecond : null
}

/** Whether a wav's header says that its length is unknown: such a file is complete at any end. */
export function isOpenWav(head: Uint8Array): boolean {
  return wavHeader(head)?.dataBytes === null
}

/** Null where `data` doesn't begin within `head`; `dataBytes` is null where the header lacks it. */
function wavHeader(head: Uint8Array): { dataBytes: number | null; bytesPerSecond: number } | null {
  const long = tagAt(head, 0, 'RF64')
  if ((!long && !tagAt(head, 0, 'RIFF')) || !tagAt(head, 8, 'WAVE')) return null
  let bytesPerSecond = 0
  let longBytes = 0
  for (let at = 12; at + 8 <= head.length; ) {
    const chunkBytes = view(head).getUint32(at + 4, true)
    if (tagAt(head, at, 'data')) {
      const dataBytes = long && chunkBytes === 0xffff_ffff ? longBytes : chunkBytes
      const known = dataBytes > 0 && (long || dataBytes < WAV_SIZE_UNKNOWN)
      return { dataBytes: known ? dataBytes : null, bytesPerSecond }
    }
    if (tagAt(head, at, 'fmt ') && at + 20 <= head.length) {
      bytesPerSecond = view(head).getUint32(at + 16, true)
    }
    if (tagAt(head, at, 'ds64') && at + 24 <= head.length) {
      longBytes = Number(view(head).getBigUint64(at + 16, true))
    }
    at += 8 + chunkBytes + (chunkBytes & 1)
  }
  return null
}
