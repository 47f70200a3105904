import {
  type FlacSeekPoint,
  type FlacStreamInfo,
  FRAME_HEADER_BYTES_MAX,
  parseFrameHeader,
} from './flac-format.js'

const SYNC = Buffer.from([0xff, 0xf8])

/**
 * Finds seek points in the frames of a FLAC as they stream by. A frame is known by its sync code, a
 * header that fits the stream, the right CRC-8 and the number that must come next, so that four
 * bytes of audio that look like a header don't count. Holds a few bytes between chunks.
 *
 * Scanning: `push` takes the frames in order. Ended: `finish` was called and gives the points.
 */
export class FlacSeekTable {
  private readonly info: FlacStreamInfo
  private readonly everySamples: number
  private readonly points: FlacSeekPoint[] = []
  private carry: Buffer = Buffer.alloc(0)
  /** Place of the first byte of `carry`, counted in bytes from the first frame. */
  private carryAtBytes = 0
  private nextNumber = 0
  private samplesSeen = 0

  constructor(info: FlacStreamInfo, everySamples: number) {
    this.info = info
    this.everySamples = everySamples
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.carry, chunk])
    this.scan(bytes, bytes.length - FRAME_HEADER_BYTES_MAX)
  }

  /** @returns the points, and how many samples all frames hold together */
  finish(): { points: FlacSeekPoint[]; samples: number } {
    const room = Buffer.alloc(FRAME_HEADER_BYTES_MAX)
    this.scan(Buffer.concat([this.carry, room]), this.carry.length)
    return { points: this.points, samples: this.samplesSeen }
  }

  /** Looks for headers that begin before `endAt` and keeps what comes after. */
  private scan(bytes: Buffer, endAt: number): void {
    let at = 0
    while (at < endAt) {
      const found = bytes.indexOf(SYNC, at)
      at = found < 0 || found > endAt ? Math.max(at, endAt) : found
      if (at >= endAt) break
      at += this.take(bytes, at)
    }
    const keptFrom = Math.min(at, bytes.length)
    this.carry = Buffer.from(bytes.subarray(keptFrom))
    this.carryAtBytes += keptFrom
  }

  /** Reads a possible header and says by how many bytes to go on. */
  private take(bytes: Buffer, at: number): number {
    const header = parseFrameHeader(bytes, at, this.info)
    if (!header || header.number !== this.nextNumber) return 1
    const sample = header.number * this.info.blockSamplesMax
    if (sample >= this.points.length * this.everySamples) {
      const offsetBytes = this.carryAtBytes + at
      this.points.push({ sample, offsetBytes, frameSamples: header.samples })
    }
    this.nextNumber += 1
    this.samplesSeen += header.samples
    return Math.max(header.bytes, this.info.frameBytesMin)
  }
}
