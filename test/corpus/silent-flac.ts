/** 16-bit mono at 16 kHz; a frame of silence is 15 bytes or so, however long it is. */
const FRAME_SAMPLES = 65_535
const RATE = 16_000

/** Silence as FLAC, 14 kB an hour; ffmpeg would take half a minute for a night of it. */
export function silentFlac(hours: number): Buffer {
  const frames = Math.ceil((hours * 3600 * RATE) / FRAME_SAMPLES)
  const info = Buffer.alloc(34)
  info.writeUInt16BE(FRAME_SAMPLES, 0)
  info.writeUInt16BE(FRAME_SAMPLES, 2)
  const packed = (BigInt(RATE) << 44n) | (15n << 36n) | BigInt(frames * FRAME_SAMPLES)
  info.writeBigUInt64BE(packed, 10)
  const head = Buffer.concat([Buffer.from('fLaC\x80\0\0\x22', 'latin1'), info])
  return Buffer.concat([head, ...Array.from({ length: frames }, (_, index) => silentFrame(index))])
}

function silentFrame(number: number): Buffer {
  const samples = Buffer.alloc(2)
  samples.writeUInt16BE(FRAME_SAMPLES - 1)
  const coded = Buffer.from(String.fromCodePoint(number)) // FLAC counts as UTF-8 does
  const head = Buffer.concat([Buffer.from([0xff, 0xf8, 0x75, 0x08]), coded, samples])
  const frame = Buffer.concat([head, Buffer.from([crc(head, 8, 0x07), 0, 0, 0])])
  const check = Buffer.alloc(2)
  check.writeUInt16BE(crc(frame, 16, 0x8005))
  return Buffer.concat([frame, check])
}

function crc(bytes: Buffer, bits: 8 | 16, polynomial: number): number {
  const top = 1 << (bits - 1)
  let value = 0
  for (const byte of bytes) {
    value ^= byte << (bits - 8)
    for (let bit = 0; bit < 8; bit += 1)
      value = value & top ? (value << 1) ^ polynomial : value << 1
  }
  return value & (2 ** bits - 1)
}
