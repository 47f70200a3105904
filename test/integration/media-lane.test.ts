import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { analyseMedia } from '../../src/media/analyse.js'
import type { MediaSource } from '../../src/media/index.js'
import { openLane, STRETCH_FRAMES } from '../../src/media/spool/lane-reader.js'
import { LegSpool } from '../../src/media/spool/leg-spool.js'
import { FRAME_BYTES } from '../../src/model/pcm.js'
import { fileSource } from '../fakes/media-sources.js'
import {
  DEFAULT_BOUNDS,
  type MediaWorkbench,
  never,
  openWorkbench,
  referencePcm,
} from '../fakes/media-workbench.js'

// ffmpeg shares the machine with everything else that is tested.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const options = { signal: never }

let bench: MediaWorkbench
let flac: MediaSource
/** PCM of each lane, as ffmpeg itself decodes the recording. */
let lanes: Buffer[]
let samples: number

/** Two lanes of noise, a little longer than two stretches. */
beforeAll(async () => {
  bench = await openWorkbench()
  const noise = (seed: number) => `anoisesrc=d=125.0371:c=pink:r=16000:a=0.4:seed=${seed}`
  const inputs = [1, 2].flatMap((seed) => ['-f', 'lavfi', '-i', noise(seed)])
  const wav = await bench.make('two.wav', ...inputs, '-filter_complex', '[0][1]amerge=inputs=2')
  const request = { tools: bench.tools, channels: 'split' as const, ...DEFAULT_BOUNDS }
  await using media = await analyseMedia(fileSource(wav), request, options)
  const chunks: Uint8Array[] = []
  for await (const chunk of media.flac.stream(options)) chunks.push(chunk)
  flac = fileSource(await bench.write('two.flac', Buffer.concat(chunks)))
  samples = media.analysis.samples
  const pcm = await referencePcm(wav, 2)
  const both = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
  lanes = [0, 1].map((lane) => {
    return Buffer.from(both.filter((_, index) => index % 2 === lane).buffer)
  })
})
afterAll(() => bench[Symbol.asyncDispose]())

const spoolOf = (stretches: number) =>
  new LegSpool({
    tools: bench.tools,
    decodesMax: 2,
    spoolBytesMax: stretches * STRETCH_FRAMES * FRAME_BYTES,
  })

async function pcmFrom(reader: LegSpool, lane: number, fromFrame: number): Promise<Buffer> {
  await using frames = openLane({ reader, flac, lane, samples }, { fromFrame, ...options })
  const read: Uint8Array[] = []
  for (let index = fromFrame; index < frames.frameCount; index += 1) {
    read.push(await frames.frame(index, options))
  }
  return Buffer.concat(read)
}

describe('openLane on a spool', () => {
  it.each([0, 1, 812])('gives every sample from frame %i on', async (fromFrame) => {
    const spool = spoolOf(100)
    const wanted = lanes[1]?.subarray(fromFrame * FRAME_BYTES)
    expect((await pcmFrom(spool, 1, fromFrame)).equals(wanted ?? Buffer.alloc(0))).toBe(true)
    expect(spool.bytesUsed).toBe(0)
    expect(await bench.spooled()).toEqual([])
  })

  it('lets more lanes through a spool than it has room for', async () => {
    const spool = spoolOf(2)
    const read = await Promise.all([0, 1, 0, 1].map((lane) => pcmFrom(spool, lane, 0)))
    const isRight = read.map((pcm, index) => pcm.equals(lanes[index % 2] ?? Buffer.alloc(0)))
    expect(isRight).toEqual([true, true, true, true])
    expect(spool.bytesUsed).toBe(0)
  })

  it('leaves nothing behind when it is stopped in the middle of a decode', async () => {
    const spool = spoolOf(100)
    const stop = new AbortController()
    const start = { fromFrame: 0, signal: stop.signal }
    const lane = openLane({ reader: spool, flac, lane: 0, samples }, start)
    await lane.frame(0, options)
    const ahead = lane.frame(STRETCH_FRAMES, options)
    stop.abort(new Error('all stop'))
    await expect(ahead).rejects.toThrow('all stop')
    await lane[Symbol.asyncDispose]()
    expect(spool.bytesUsed).toBe(0)
    expect(await bench.spooled()).toEqual([])
  })
})
