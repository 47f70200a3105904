/** A wav file, and what it may lie about. */
export interface WavOptions {
  samples: Int16Array | Buffer
  /** 1 is PCM, 3 floats, 6 A-law, 7 mu-law. */
  format?: number
  bits?: number
  channels?: number
  sampleRate?: number
  /** What the `data` chunk says that it holds; the truth where absent. */
  dataBytes?: number
  /** Chunks between `fmt ` and `data`. */
  before?: Buffer
  /** Bytes behind the audio. */
  after?: Buffer
  /** RF64 says its sizes in a chunk of its own. */
  long?: boolean
}

/** Writes one, by hand: no encoder would write what some of these are. */
export function wav(options: WavOptions): Buffer {
  const { samples, format = 1, bits = 16, channels = 1, sampleRate = 16_000 } = options
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  const { before = Buffer.alloc(0), after = Buffer.alloc(0), long = false } = options
  const frameBytes = (channels * bits) / 8
  const facts = Buffer.alloc(16)
  facts.writeUInt16LE(format, 0)
  facts.writeUInt16LE(channels, 2)
  facts.writeUInt32LE(sampleRate, 4)
  facts.writeUInt32LE((sampleRate * frameBytes) >>> 0, 8)
  facts.writeUInt16LE(frameBytes, 12)
  facts.writeUInt16LE(bits, 14)
  const sizes = Buffer.alloc(28)
  sizes.writeBigUInt64LE(BigInt(data.length), 8)
  const { dataBytes = long ? 0xffff_ffff : data.length } = options
  const body = [
    ...(long ? [chunk('ds64', sizes)] : []),
    chunk('fmt ', facts),
    before,
    chunkHead('data', dataBytes),
    data,
    after,
  ]
  const bytes = Buffer.concat([Buffer.from('WAVE'), ...body])
  return Buffer.concat([
    chunkHead(long ? 'RF64' : 'RIFF', long ? 0xffff_ffff : bytes.length),
    bytes,
  ])
}

/** A chunk of a RIFF file. */
export function chunk(id: string, body: Buffer): Buffer {
  const padding = Buffer.alloc(body.length & 1)
  return Buffer.concat([chunkHead(id, body.length), body, padding])
}

function chunkHead(id: string, bytes: number): Buffer {
  const head = Buffer.alloc(8)
  head.write(id, 'latin1')
  head.writeUInt32LE(bytes, 4)
  return head
}

/** Samples as floats, from -1 to 1. */
export function floats(samples: Int16Array): Float32Array {
  return Float32Array.from(samples, (sample) => sample / 32_768)
}

/** The bytes of a typed array. */
export function bytesOf(array: Float32Array | Int16Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}
