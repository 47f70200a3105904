import { endianness } from 'node:os'
import { SAMPLE_BYTES } from '../model/pcm.js'

const LITTLE_ENDIAN = endianness() === 'LE'

/**
 * Separates interleaved s16le bytes into the samples of each lane. A chunk may end within a sample:
 * the incomplete row (fewer bytes than one sample of every lane) is kept for the next chunk. Pure.
 */
export class PcmLanes {
  private readonly lanes: number
  private readonly rowBytes: number
  private rest: Buffer = Buffer.alloc(0)

  constructor(lanes: number) {
    this.lanes = lanes
    this.rowBytes = lanes * SAMPLE_BYTES
  }

  /** One array for each lane, all of one length, possibly 0. The caller owns the arrays. */
  push(pcm: Uint8Array): Int16Array[] {
    const rows = Math.floor((this.rest.length + pcm.length) / this.rowBytes)
    const whole = new Uint8Array(rows * this.rowBytes)
    const taken = whole.length - this.rest.length
    if (rows === 0) {
      this.rest = Buffer.concat([this.rest, pcm])
      return Array.from({ length: this.lanes }, () => new Int16Array(0))
    }
    whole.set(this.rest)
    whole.set(pcm.subarray(0, taken), this.rest.length)
    this.rest = Buffer.from(pcm.subarray(taken))
    if (!LITTLE_ENDIAN) Buffer.from(whole.buffer).swap16()
    const samples = new Int16Array(whole.buffer)
    return this.lanes === 1 ? [samples] : this.apart(samples, rows)
  }

  private apart(samples: Int16Array, rows: number): Int16Array[] {
    const { lanes } = this
    return Array.from({ length: lanes }, (_, lane) => {
      const own = new Int16Array(rows)
      for (let row = 0, at = lane; row < rows; row += 1, at += lanes)
        own[row] = samples[at] as number
      return own
    })
  }
}
