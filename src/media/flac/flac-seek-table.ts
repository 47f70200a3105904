import {
  type FlacSeekPoint,
  type FlacStreamInfo,
  FRAME_HEADER_BYTES_MAX,
  parseFrameHeader,
} from './flac-format.js'

const SYNC = Buffer.from([0xff, 0xf8])

/**
 * Finds seek points in the frames of a FLAC while they pass. A frame must have the sync code, a
 * header that fits the stream, the right CRC-8 and the next frame number: bytes of audio that look
 * like a header don't count. Holds at most 16 bytes between chunks.
 *
 * Scanning: `push` takes the frames in order. Ended: `finish` was called and gives the points.
 */
export class FlacSeekTable {
  private readonly info: FlacStreamInfo
  private readonly everySamples: number
  private readonly points: FlacSeekPoint[] = []
  private rest: Buffer = Buffer.alloc(0)
  /** Offset of the first byte of `rest`, in bytes from the first frame. */
  private restAtBytes = 0
  private nextNumber = 0
  private samplesSeen = 0

  constructor(info: FlacStreamInfo, everySamples: number) {
    this.info = info
    this.everySamples = everySamples
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.rest, chunk])
    this.scan(bytes, bytes.length - FRAME_HEADER_BYTES_MAX)
  }

  /** @returns the seek points, and the number of samples in all frames together */
  finish(): { points: FlacSeekPoint[]; samples: number } {
    const room = Buffer.alloc(FRAME_HEADER_BYTES_MAX)
    this.scan(Buffer.concat([this.rest, room]), this.rest.length)
    return { points: this.points, samples: this.samplesSeen }
  }

  /** Finds headers that begin before `endAt`, and keeps the bytes after it for the next chunk. */
  private scan(bytes: Buffer, endAt: number): void {
    let at = 0
    while (at < endAt) {
      const found = bytes.indexOf(SYNC, at)
      at = found < 0 || found > endAt ? Math.max(at, endAt) : found
      if (at >= endAt) break
      at += this.take(bytes, at)
    }
    const keptFrom = Math.min(at, bytes.length)
    this.rest = Buffer.from(bytes.subarray(keptFrom))
    this.restAtBytes += keptFrom
  }

  /** Reads a possible header. @returns the bytes to skip before the search continues */
  private take(bytes: Buffer, at: number): number {
    const header = parseFrameHeader(bytes, at, this.info)
    if (!header || header.number !== this.nextNumber) return 1
    const sample = header.number * this.info.blockSamplesMax
    if (sample >= this.points.length * this.everySamples) {
      const offsetBytes = this.restAtBytes + at
      this.points.push({ sample, offsetBytes, frameSamples: header.samples })
    }
    this.nextNumber += 1
    this.samplesSeen += header.samples
    return Math.max(header.bytes, this.info.frameBytesMin)
  }
}
