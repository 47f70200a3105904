/** Reads and writes the parts of FLAC (RFC 9639) that range reads need. Pure. */

/** The STREAMINFO block. */
export interface FlacStreamInfo {
  blockSamplesMin: number
  blockSamplesMax: number
  /** 0 when unknown. */
  frameBytesMin: number
  sampleRate: number
  channels: number
  bitsPerSample: number
  /** 0 when unknown. */
  samples: number
  /** The 34 bytes of the block in the file. */
  raw: Uint8Array
}

/** A frame at which decoding can begin. */
export interface FlacSeekPoint {
  sample: number
  /** Offset of the frame in bytes from the first byte of the first frame. */
  offsetBytes: number
  /** Samples in that frame. */
  frameSamples: number
}

/** A frame header that is complete and has the right CRC-8. */
export interface FlacFrameHeader {
  /** Number of the frame in the stream; blocks are of one size, so it gives the frame's time. */
  number: number
  samples: number
  bytes: number
}

/** Bytes of the STREAMINFO block, without its header. */
export const STREAMINFO_BYTES = 34
/** Bytes of one seek point in the table. */
export const SEEK_POINT_BYTES = 18
/** Bytes of `fLaC`, one block header and STREAMINFO. */
export const FLAC_PREFIX_BYTES = 4 + 4 + STREAMINFO_BYTES
/** Bytes of the longest frame header, one with a 36 bit frame number. */
export const FRAME_HEADER_BYTES_MAX = 16
/** Type of the STREAMINFO block. */
export const BLOCK_STREAMINFO = 0
/** Type of the SEEKTABLE block. */
export const BLOCK_SEEKTABLE = 3

const PLACEHOLDER = 0xffff_ffff_ffff_ffffn

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** @param raw the 34 bytes of the block */
export function parseStreamInfo(raw: Uint8Array): FlacStreamInfo {
  const data = view(raw)
  const packed = data.getBigUint64(10)
  return {
    blockSamplesMin: data.getUint16(0),
    blockSamplesMax: data.getUint16(2),
    frameBytesMin: data.getUint32(4) >>> 8,
    sampleRate: Number(packed >> 44n),
    channels: Number((packed >> 41n) & 7n) + 1,
    bitsPerSample: Number((packed >> 36n) & 31n) + 1,
    samples: Number(packed & 0xf_ffff_ffffn),
    raw,
  }
}

/**
 * `fLaC` and the metadata of a file with these frames: STREAMINFO and, where there are points, a
 * SEEKTABLE.
 */
export function flacPrefix(info: FlacStreamInfo, points: readonly FlacSeekPoint[]): Uint8Array {
  const tableBytes = points.length === 0 ? 0 : 4 + points.length * SEEK_POINT_BYTES
  const bytes = new Uint8Array(FLAC_PREFIX_BYTES + tableBytes)
  const data = view(bytes)
  bytes.set(Buffer.from('fLaC'), 0)
  data.setUint32(4, STREAMINFO_BYTES | (points.length === 0 ? 0x8000_0000 : 0))
  bytes.set(info.raw, 8)
  if (points.length === 0) return bytes
  data.setUint8(FLAC_PREFIX_BYTES, 0x80 | BLOCK_SEEKTABLE)
  const bodyBytes = points.length * SEEK_POINT_BYTES
  data.setUint8(FLAC_PREFIX_BYTES + 1, bodyBytes >> 16)
  data.setUint16(FLAC_PREFIX_BYTES + 2, bodyBytes & 0xffff)
  points.forEach((point, index) => {
    const at = FLAC_PREFIX_BYTES + 4 + index * SEEK_POINT_BYTES
    data.setBigUint64(at, BigInt(point.sample))
    data.setBigUint64(at + 8, BigInt(point.offsetBytes))
    data.setUint16(at + 16, point.frameSamples)
  })
  return bytes
}

/** STREAMINFO for a part of the stream: without total and MD5, which would be wrong for it. */
export function infoOfPart(info: FlacStreamInfo): FlacStreamInfo {
  const raw = Uint8Array.from(info.raw)
  raw[13] = (raw[13] ?? 0) & 0xf0
  raw.fill(0, 14)
  return parseStreamInfo(raw)
}

/** @param raw the body of a SEEKTABLE block; placeholders are left out */
export function parseSeekTable(raw: Uint8Array): FlacSeekPoint[] {
  const data = view(raw)
  const points: FlacSeekPoint[] = []
  for (let at = 0; at + SEEK_POINT_BYTES <= raw.length; at += SEEK_POINT_BYTES) {
    const sample = data.getBigUint64(at)
    if (sample === PLACEHOLDER) continue
    points.push({
      sample: Number(sample),
      offsetBytes: Number(data.getBigUint64(at + 8)),
      frameSamples: data.getUint16(at + 16),
    })
  }
  return points
}

const CRC8 = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1
  return crc
})

function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0
  for (let at = from; at < to; at += 1) crc = CRC8[crc ^ (bytes[at] ?? 0)] ?? 0
  return crc
}

/**
 * Reads the frame header at `at` of a stream with blocks of one size; 16 bytes must follow `at`.
 * @returns null when no valid header of such a stream begins there
 */
export function parseFrameHeader(
  bytes: Uint8Array,
  at: number,
  info: FlacStreamInfo,
): FlacFrameHeader | null {
  if (bytes[at] !== 0xff || bytes[at + 1] !== 0xf8) return null
  const sizeCode = (bytes[at + 2] ?? 0) >> 4
  const rateCode = (bytes[at + 2] ?? 0) & 15
  const channelCode = (bytes[at + 3] ?? 0) >> 4
  const channels = channelCode < 8 ? channelCode + 1 : 2
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || channels !== info.channels)
    return null
  if (((bytes[at + 3] ?? 0) & 1) !== 0) return null
  const number = codedNumber(bytes, at + 4)
  if (!number) return null
  let end = at + 4 + number.bytes
  let samples = blockSamples(sizeCode)
  if (sizeCode === 6) samples = (bytes[end] ?? 0) + 1
  if (sizeCode === 7) samples = (((bytes[end] ?? 0) << 8) | (bytes[end + 1] ?? 0)) + 1
  end += sizeCode === 6 ? 1 : sizeCode === 7 ? 2 : 0
  end += rateCode === 12 ? 1 : rateCode === 13 || rateCode === 14 ? 2 : 0
  if (samples > info.blockSamplesMax || crc8(bytes, at, end) !== bytes[end]) return null
  return { number: number.value, samples, bytes: end + 1 - at }
}

function blockSamples(sizeCode: number): number {
  if (sizeCode === 1) return 192
  return sizeCode <= 5 ? 576 << (sizeCode - 2) : 256 << (sizeCode - 8)
}

/** Decodes a frame number, which frame headers have in an extended UTF-8. */
function codedNumber(bytes: Uint8Array, at: number): { value: number; bytes: number } | null {
  const first = bytes[at] ?? 0xff
  if (first < 0x80) return { value: first, bytes: 1 }
  const length = Math.clz32(~(first << 24))
  if (length < 2 || length > 7) return null
  let value = first & (0x7f >> length)
  for (let index = 1; index < length; index += 1) {
    const next = bytes[at + index] ?? 0
    if (next >> 6 !== 2) return null
    value = value * 64 + (next & 63)
  }
  return { value, bytes: length }
}
