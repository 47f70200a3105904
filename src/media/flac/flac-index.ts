import { UpstreamError } from '../../kernel/errors.js'
import type { MediaSource } from '../index.js'
import type { PinnedReader } from '../pinned-reader.js'
import {
  BLOCK_SEEKTABLE,
  BLOCK_STREAMINFO,
  type FlacSeekPoint,
  type FlacStreamInfo,
  flacPrefix,
  infoOfPart,
  parseSeekTable,
  parseStreamInfo,
  STREAMINFO_BYTES,
} from './flac-format.js'

/** Where the frames of a FLAC begin, and at which of them decoding can start. */
export interface FlacIndex {
  info: FlacStreamInfo
  /** Seek points by rising samples; the first one is sample 0. */
  points: FlacSeekPoint[]
  framesStartByte: number
}

const METADATA_BYTES_MAX = 16 * 2 ** 20
const FIRST_READ_BYTES = 16 * 1024

/**
 * Reads the metadata blocks of a FLAC, usually with one or two short range reads.
 * @throws UpstreamError `decode_failed` where it is no FLAC of the analysis; what the reader throws
 */
export async function readFlacIndex(
  reader: PinnedReader,
  options: { signal: AbortSignal },
): Promise<FlacIndex> {
  let head = await reader.readAll({ startByte: 0, endByte: FIRST_READ_BYTES }, options)
  let walk = walkMetadata(head)
  while (walk.kind === 'more' && head.length < Math.min(walk.bytes, reader.source.bytes)) {
    if (walk.bytes > METADATA_BYTES_MAX) break
    const rest = await reader.readAll({ startByte: head.length, endByte: walk.bytes }, options)
    head = Buffer.concat([head, rest])
    walk = walkMetadata(head)
  }
  const info = walk.kind === 'whole' ? walk.blocks.get(BLOCK_STREAMINFO) : undefined
  if (walk.kind !== 'whole' || info?.length !== STREAMINFO_BYTES) {
    throw new UpstreamError(
      'decode_failed',
      `${reader.source.name} is not the FLAC that the analysis wrote; delete it and submit the ` +
        'recording again.',
      { effect: 'none' },
    )
  }
  const table = walk.blocks.get(BLOCK_SEEKTABLE)
  const points = table ? parseSeekTable(table) : []
  if (points[0]?.sample !== 0) points.unshift({ sample: 0, offsetBytes: 0, frameSamples: 0 })
  return { info: parseStreamInfo(info), points, framesStartByte: walk.endByte }
}

/**
 * The part of a FLAC that holds `[startSample, endSample)`, as a FLAC of its own.
 * @returns the part, and the sample of the recording with which it begins
 */
export function flacPart(
  reader: PinnedReader,
  index: FlacIndex,
  range: { startSample: number; endSample: number },
): { source: MediaSource; firstSample: number } {
  const { source } = reader
  const start = index.points.filter((point) => point.sample <= range.startSample).at(-1)
  const end = index.points.find((point) => point.sample >= range.endSample)
  // A truncated file gives the bytes that it has: `decodeLeg` counts the samples and fails.
  const within = (byte: number) => Math.min(source.bytes, index.framesStartByte + byte)
  const startByte = within(start?.offsetBytes ?? 0)
  const endByte = end ? within(end.offsetBytes) : source.bytes
  const prefix = flacPrefix(infoOfPart(index.info), [])
  return {
    firstSample: start?.sample ?? 0,
    source: {
      name: source.name,
      bytes: prefix.length + endByte - startByte,
      read: async (wanted, { signal }) => joined(wanted, signal),
    },
  }

  async function* joined(
    wanted: { startByte: number; endByte: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    if (wanted.startByte < prefix.length) yield prefix.subarray(wanted.startByte, wanted.endByte)
    const from = startByte + Math.max(0, wanted.startByte - prefix.length)
    const to = startByte + wanted.endByte - prefix.length
    if (to > from) yield* reader.read({ startByte: from, endByte: to }, { signal })
  }
}

type MetadataWalk =
  | { kind: 'whole'; blocks: Map<number, Buffer>; endByte: number }
  /** The parser needs `bytes` bytes from the start of the file to continue. */
  | { kind: 'more'; bytes: number }
  | { kind: 'no_flac' }

function walkMetadata(head: Buffer): MetadataWalk {
  if (head.toString('latin1', 0, 4) !== 'fLaC') return { kind: 'no_flac' }
  const blocks = new Map<number, Buffer>()
  for (let at = 4; ; ) {
    if (at + 4 > head.length) return { kind: 'more', bytes: at + 4 }
    const endByte = at + 4 + head.readUIntBE(at + 1, 3)
    if (endByte > head.length) return { kind: 'more', bytes: endByte }
    blocks.set(head.readUInt8(at) & 0x7f, head.subarray(at + 4, endByte))
    if (head.readUInt8(at) >= 0x80) return { kind: 'whole', blocks, endByte }
    at = endByte
  }
}
