import { readFile, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { InputError, UpstreamError } from '../../src/kernel/errors.js'
import { analyseMedia } from '../../src/media/analyse.js'
import { readFlacIndex } from '../../src/media/flac/flac-index.js'
import type { SpooledLeg } from '../../src/media/index.js'
import { PinnedReader } from '../../src/media/pinned-reader.js'
import { decodeLeg } from '../../src/media/spool/audio-leg.js'
import { LegSpool } from '../../src/media/spool/leg-spool.js'
import { type FileSource, faultySource, fileSource } from '../fakes/media-sources.js'
import {
  DEFAULT_BOUNDS,
  type MediaWorkbench,
  never,
  openWorkbench,
  referencePcm,
} from '../fakes/media-workbench.js'

// ffmpeg and the model share the machine with everything else that is tested.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const SECONDS = 63
/** Noise, because it compresses badly and gives frames of every size. */
const noise = (seed: number) => `anoisesrc=d=${SECONDS}.0371:c=pink:r=16000:a=0.4:seed=${seed}`

let bench: MediaWorkbench
const recordings = new Map<number, { flac: FileSource; lanes: Int16Array[]; file: string }>()

beforeAll(async () => {
  bench = await openWorkbench()
  for (const channels of [1, 2, 3]) {
    const sources = Array.from({ length: channels }, (_, seed) => [
      '-f',
      'lavfi',
      '-i',
      noise(seed),
    ])
    const pads = sources.map((_, index) => `[${index}]`).join('')
    const graph = ['-filter_complex', `${pads}amerge=inputs=${channels}`]
    const merge = channels === 1 ? [] : graph
    const wav = await bench.make(`${channels}.wav`, ...sources.flat(), ...merge)
    const request = { tools: bench.tools, channels: 'split' as const, ...DEFAULT_BOUNDS }
    await using media = await analyseMedia(fileSource(wav), request, { signal: never })
    const chunks: Uint8Array[] = []
    for await (const chunk of media.flac.stream({ signal: never })) chunks.push(chunk)
    const file = await bench.write(`${channels}.flac`, Buffer.concat(chunks))
    recordings.set(channels, { flac: fileSource(file), lanes: await lanesOf(wav, channels), file })
  }
})
afterAll(() => bench[Symbol.asyncDispose]())

async function lanesOf(wav: string, channels: number): Promise<Int16Array[]> {
  const pcm = await referencePcm(wav, channels)
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
  return Array.from({ length: channels }, (_, lane) =>
    samples.filter((_sample, index) => index % channels === lane),
  )
}

function recording(channels: number) {
  const known = recordings.get(channels)
  if (!known) throw new Error(`no recording with ${channels} channels was made`)
  return known
}

const bytesOf = (samples: Int16Array) =>
  Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)

async function legOf(flac: FileSource, lane: number, startSample: number, endSample: number) {
  const chunks: Uint8Array[] = []
  const range = { lane, startSample, endSample }
  const sink = (pcm: Uint8Array) => void chunks.push(Uint8Array.from(pcm))
  await decodeLeg({ tools: bench.tools, flac, range }, sink, { signal: never })
  return Buffer.concat(chunks)
}

describe('decodeLeg', () => {
  it.each([1, 2, 3])('gives exactly the samples asked for, of %i lanes', async (channels) => {
    const { flac, lanes } = recording(channels)
    const samples = lanes[0]?.length ?? 0
    const edge = fc.oneof(
      fc.integer({ min: 0, max: samples }),
      fc.integer({ min: 0, max: 12 }).map((point) => point * 80_000),
      fc.constantFrom(0, 1, 1151, 1152, samples - 1, samples),
    )
    const ranges = fc
      .tuple(edge, edge, fc.integer({ min: 0, max: channels - 1 }))
      .filter(([from, to]) => from !== to)
    await fc.assert(
      fc.asyncProperty(ranges, async ([one, other, lane]) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)]
        const heard = await legOf(flac, lane, from, to)
        const wanted = bytesOf(lanes[lane]?.slice(from, to) ?? new Int16Array())
        expect(heard.equals(wanted)).toBe(true)
      }),
      { numRuns: 12 },
    )
  })

  it('reads only the bytes around the leg', async () => {
    const { file } = recording(1)
    const flac = fileSource(file)
    await legOf(flac, 0, 30 * 16_000 + 5, 34 * 16_000)
    const bytesAsked = flac.reads
      .slice(1)
      .reduce((sum, { startByte, endByte }) => sum + endByte - startByte, 0)
    // The 5 s between two seek points, which ffmpeg may ask for twice while it probes.
    expect(bytesAsked).toBeLessThan((flac.bytes / SECONDS) * 5 * 2.5)
  })

  it('has a seek point every 5 s, at the start of a frame', async () => {
    const { flac } = recording(2)
    const reader = new PinnedReader(flac, { clock: bench.tools.clock })
    const { points, info } = await readFlacIndex(reader, { signal: never })
    expect(points.map((point) => Math.floor(point.sample / 80_000))).toEqual(
      Array.from({ length: Math.ceil((SECONDS + 1) / 5) }, (_, index) => index),
    )
    expect(points.every((point) => point.sample % info.blockSamplesMax === 0)).toBe(true)
  })

  it.each([
    [0, -1, 5],
    [0, 5, 5],
    [0, 0, 10 ** 9],
    [1, 0, 5],
    [0, 0.5, 5],
  ])('refuses lane %f from %f to %f', async (lane, from, to) => {
    await expect(legOf(recording(1).flac, lane, from, to)).rejects.toBeInstanceOf(RangeError)
  })

  it('says when the FLAC is cut or is none, and passes on what the store says', async () => {
    const { file, flac } = recording(1)
    const bytes = await readFile(file)
    const cut = fileSource(await bench.write('cut.flac', bytes.subarray(0, bytes.length * 0.7)))
    await expect(legOf(cut, 0, 0, 60 * 16_000)).rejects.toMatchObject({
      code: 'decode_failed',
      message: expect.stringMatching(/cut\.flac could not be read: \d+ samples are missing/),
    })
    const none = fileSource(await bench.write('none.flac', 'this is no audio'))
    await expect(legOf(none, 0, 0, 5)).rejects.toBeInstanceOf(UpstreamError)
    const changed = new InputError('media_changed', '1.flac was replaced.')
    const faults = Array.from({ length: 2 }, (_, read) => ({
      afterBytes: read === 0 ? 10 ** 9 : 100,
      error: read === 0 ? null : changed,
    }))
    const failing = { ...faultySource(flac, faults), reads: [] }
    await expect(legOf(failing, 0, 0, 40 * 16_000)).rejects.toBe(changed)
  })
})

async function pcmOf(leg: SpooledLeg): Promise<Buffer> {
  const frames: Uint8Array[] = []
  for await (const frame of leg.frames({ signal: never })) frames.push(frame)
  expect(frames).toHaveLength(leg.frameCount)
  expect(frames.slice(0, -1).every((frame) => frame.length === 2_560)).toBe(true)
  return Buffer.concat(frames)
}

describe('LegSpool', () => {
  const openSpool = (spoolBytesMax = 2 ** 30) =>
    new LegSpool({ tools: bench.tools, decodesMax: 2, spoolBytesMax })

  it('serves frames of 80 ms, the last one shorter, and removes its file', async () => {
    const { flac, lanes } = recording(2)
    const spool = openSpool()
    const range = { lane: 1, startSample: 12_345, endSample: 612_350 }
    const leg = await spool.openLeg(flac, range, { signal: never })
    expect(leg).toMatchObject({ samples: 600_005, frameCount: 469 })
    expect(spool.bytesUsed).toBe(1_200_010)
    const wanted = bytesOf(lanes[1]?.slice(12_345, 612_350) ?? new Int16Array())
    expect((await pcmOf(leg)).equals(wanted)).toBe(true)
    const again = await leg.readFrame(3, { signal: never })
    expect(Buffer.from(again).equals(wanted.subarray(3 * 2_560, 4 * 2_560))).toBe(true)
    await expect(leg.readFrame(469, { signal: never })).rejects.toBeInstanceOf(RangeError)
    expect(await bench.spooled()).toHaveLength(1)
    await leg[Symbol.asyncDispose]()
    await leg[Symbol.asyncDispose]()
    expect(await bench.spooled()).toEqual([])
    expect(spool.bytesUsed).toBe(0)
  })

  it('lets a leg wait until there is room, and one that is stopped go', async () => {
    const { flac } = recording(1)
    const spool = openSpool(100_000)
    const range = (startSample: number) => ({
      lane: 0,
      startSample,
      endSample: startSample + 40_000,
    })
    const first = await spool.openLeg(flac, range(0), { signal: never })
    const stop = new AbortController()
    const stopped = spool.openLeg(flac, range(1), { signal: stop.signal })
    const second = spool.openLeg(flac, range(2), { signal: never })
    stop.abort(new Error('stopped by the test'))
    await expect(stopped).rejects.toThrow('stopped by the test')
    expect(await bench.spooled()).toHaveLength(1)
    await first[Symbol.asyncDispose]()
    await (await second)[Symbol.asyncDispose]()
    const large = { lane: 0, startSample: 0, endSample: 80_000 }
    await expect(spool.openLeg(flac, large, { signal: never })).rejects.toMatchObject({
      code: 'config_invalid',
    })
    expect(spool.bytesUsed).toBe(0)
  })

  it('leaves nothing behind when a decode fails, is stopped, or waits behind others', async () => {
    const { flac } = recording(1)
    const spool = openSpool()
    const range = { lane: 0, startSample: 0, endSample: 900_000 }
    const broken = new InputError('media_changed', '1.flac was replaced.')
    const failing = faultySource(flac, [{ afterBytes: 10, error: broken }])
    await expect(spool.openLeg(failing, range, { signal: never })).rejects.toBe(broken)
    const stop = new AbortController()
    const legs = Array.from({ length: 6 }, () =>
      spool.openLeg(flac, range, { signal: stop.signal }),
    )
    stop.abort(new Error('all stop'))
    for (const leg of await Promise.allSettled(legs)) {
      expect(leg).toMatchObject({ status: 'rejected', reason: { message: 'all stop' } })
    }
    expect(spool.bytesUsed).toBe(0)
    expect(await bench.spooled()).toEqual([])
  })

  it('tells who shortened a file under it', async () => {
    const { flac } = recording(1)
    const range = { lane: 0, startSample: 0, endSample: 900_000 }
    await using leg = await openSpool().openLeg(flac, range, { signal: never })
    const [name] = await bench.spooled()
    await writeFile(`${bench.tools.spoolDir}/${name}`, Buffer.alloc(1_000))
    await expect(leg.readFrame(600, { signal: never })).rejects.toMatchObject({
      code: 'output_write_failed',
    })
  })
})
