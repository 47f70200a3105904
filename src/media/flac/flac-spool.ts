import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { UpstreamError } from '../../kernel/errors.js'
import { SAMPLE_RATE } from '../../model/pcm.js'
import type { SpooledFlac } from '../index.js'
import {
  BLOCK_STREAMINFO,
  FLAC_PREFIX_BYTES,
  type FlacSeekPoint,
  type FlacStreamInfo,
  flacPrefix,
  parseStreamInfo,
} from './flac-format.js'
import { FlacSeekTable } from './flac-seek-table.js'

/** Samples between seek points, 5 s: a leg reads at most 5 s too much at either end. */
const SEEK_POINT_SAMPLES = 5 * SAMPLE_RATE
const READ_BYTES = 256 * 1024

/** The FLAC holds another number of samples than the PCM that was decoded with it. */
export class FlacIncomplete extends UpstreamError {
  constructor(flacSamples: number, samples: number) {
    super(
      'decode_failed',
      `ffmpeg wrote ${flacSamples} samples as FLAC and ${samples} as PCM; the analysis is run again.`,
      { effect: 'none', facts: { flacSamples, samples } },
    )
  }
}

/**
 * Adds a seek table to the FLAC that ffmpeg has written to `path`. The file itself stays as it is:
 * `stream` puts new metadata with the table before its frames.
 *
 * @param samples samples of a lane that the FLAC must hold
 * @throws FlacIncomplete where it holds another number; the signal's reason
 */
export async function spooledFlac(
  path: string,
  { samples, signal }: { samples: number; signal: AbortSignal },
): Promise<SpooledFlac> {
  const { info, framesStartByte } = await readFront(path)
  const table = await scan(path, { info, framesStartByte, signal })
  if (info.samples !== samples || table.samples !== samples) {
    throw new FlacIncomplete(table.samples, samples)
  }
  const prefix = flacPrefix(info, table.points)
  const { size } = await stat(path)
  return {
    bytes: prefix.length + size - framesStartByte,
    stream: ({ signal: streamSignal }) => streamOf(prefix, { path, framesStartByte }, streamSignal),
    [Symbol.asyncDispose]: () => rm(path, { force: true }),
  }
}

async function* streamOf(
  prefix: Uint8Array,
  { path, framesStartByte }: { path: string; framesStartByte: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  yield prefix
  const frames = createReadStream(path, { start: framesStartByte, highWaterMark: READ_BYTES })
  for await (const chunk of frames) {
    signal.throwIfAborted()
    yield chunk as Buffer
  }
}

/** Reads STREAMINFO, and the offset of the first frame after all metadata that ffmpeg wrote. */
async function readFront(path: string): Promise<{ info: FlacStreamInfo; framesStartByte: number }> {
  await using file = await open(path, 'r')
  const front = Buffer.alloc(FLAC_PREFIX_BYTES)
  await file.read(front, 0, front.length, 0)
  const isFlac = front.toString('latin1', 0, 4) === 'fLaC'
  if (!isFlac || (front.readUInt8(4) & 0x7f) !== BLOCK_STREAMINFO) {
    throw new UpstreamError('decode_failed', 'ffmpeg wrote no FLAC; the analysis is run again.', {
      effect: 'none',
    })
  }
  const header = Buffer.alloc(4)
  let at = 4
  for (let last = false; !last; ) {
    await file.read(header, 0, 4, at)
    last = header.readUInt8(0) >= 0x80
    at += 4 + header.readUIntBE(1, 3)
  }
  return { info: parseStreamInfo(Uint8Array.from(front.subarray(8))), framesStartByte: at }
}

async function scan(
  path: string,
  from: { info: FlacStreamInfo; framesStartByte: number; signal: AbortSignal },
): Promise<{ points: FlacSeekPoint[]; samples: number }> {
  const table = new FlacSeekTable(from.info, SEEK_POINT_SAMPLES)
  const file = createReadStream(path, { start: from.framesStartByte, highWaterMark: READ_BYTES })
  await pipeline(
    file,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) table.push(chunk)
    },
    { signal: from.signal },
  )
  return table.finish()
}
