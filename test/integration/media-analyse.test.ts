import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { InputError, UpstreamError } from '../../src/kernel/errors.js'
import { type AnalyseOptions, analyseMedia } from '../../src/media/analyse.js'
import type { AnalysedMedia, MediaSource } from '../../src/media/index.js'
import { faultySource, fileSource } from '../fakes/media-sources.js'
import {
  DEFAULT_BOUNDS,
  type MediaWorkbench,
  never,
  openWorkbench,
  referencePcm,
  tone,
} from '../fakes/media-workbench.js'

// ffmpeg and the model share the machine with everything else that is tested.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let bench: MediaWorkbench
beforeAll(async () => {
  bench = await openWorkbench()
})
afterAll(() => bench[Symbol.asyncDispose]())

function analyse(
  source: MediaSource | string,
  options: Partial<AnalyseOptions> = {},
  signal = never,
): Promise<AnalysedMedia> {
  const from = typeof source === 'string' ? fileSource(source) : source
  const request = { tools: bench.tools, channels: 'mix' as const, ...DEFAULT_BOUNDS, ...options }
  return analyseMedia(from, request, { signal })
}

/** The FLAC of an analysis as a file, and its samples as ffmpeg decodes them. */
async function flacOf(media: AnalysedMedia, channels = 1) {
  const chunks: Uint8Array[] = []
  for await (const chunk of media.flac.stream({ signal: never })) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const file = await bench.write('read-back.flac', bytes)
  return { bytes, pcm: await referencePcm(file, channels) }
}

async function cutFile(file: string, share: number): Promise<string> {
  const bytes = await readFile(file)
  const kept = bytes.subarray(0, Math.floor(bytes.length * share))
  return bench.write(`cut-${path.basename(file)}`, kept)
}

const OPUS = ['-ac', '1', '-c:a', 'libopus', '-ar', '48000']

describe('analyseMedia: every container, through the same path', () => {
  it.each([
    ['whole.wav', 'wav', 'pcm_s16le', []],
    ['whole.mp3', 'mp3', 'mp3', []],
    ['tail-index.m4a', 'm4a', 'aac', ['-c:a', 'aac']],
    ['front-index.mp4', 'mp4', 'aac', ['-c:a', 'aac', '-movflags', 'faststart']],
    ['whole.ogg', 'ogg', 'opus', OPUS],
    ['whole.webm', 'webm', 'opus', OPUS],
    ['no-duration.webm', 'webm', 'opus', [...OPUS, '-live', '1', '-f', 'webm']],
    ['whole.flac', 'flac', 'flac', []],
  ])('%s', async (name, container, codec, args) => {
    const file = await bench.make(name, ...tone(3), ...args)
    await using media = await analyse(file)
    const { analysis } = media
    expect(analysis).toMatchObject({ container, codec, channels: 1, warnings: [] })
    expect(Math.abs(analysis.durationMs - 3_000)).toBeLessThanOrEqual(60)
    expect(analysis.sha256).toBe(
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    )
    const { bytes, pcm } = await flacOf(media)
    expect(bytes.length).toBe(media.flac.bytes)
    expect(pcm.length).toBe(analysis.samples * 2)
    expect(analysis.lanes[0]?.peaks.length).toBe(Math.ceil(analysis.samples / 800))
    expect(analysis.lanes[0]?.levelDbfs).toBeCloseTo(-21, -1)
  })

  it('takes the sound of a film at its true time', async () => {
    const picture = ['-f', 'lavfi', '-i', 'color=c=black:s=32x32:r=5:d=63']
    const late = ['-itsoffset', '2', ...tone(61)]
    const maps = ['-map', '0:v', '-map', '1:a', '-c:v', 'mpeg4', '-c:a', 'aac']
    const file = await bench.make('film.mp4', ...picture, ...late, ...maps)
    await using media = await analyse(file)
    const peaks = media.analysis.lanes[0]?.peaks ?? new Uint8Array()
    expect(media.analysis.durationMs).toBeGreaterThan(62_900)
    expect(Math.max(...peaks.subarray(0, 39))).toBe(0)
    expect(Math.min(...peaks.subarray(41, 1_200))).toBeGreaterThan(10)
  })

  it('fills a gap in the timestamps with silence', async () => {
    const hole = "aselect='not(between(t,2,3.999))'"
    const file = await bench.make('gap.webm', ...tone(6), '-af', hole, ...OPUS)
    await using media = await analyse(file)
    const peaks = media.analysis.lanes[0]?.peaks ?? new Uint8Array()
    expect(media.analysis.durationMs).toBeGreaterThan(5_950)
    expect(Math.max(...peaks.subarray(42, 78))).toBe(0)
    expect(Math.min(...peaks.subarray(84, 118))).toBeGreaterThan(10)
  })

  it('keeps all sound when timestamps start again, as recorders that were restarted leave it', async () => {
    const part = await readFile(await bench.make('part.webm', ...tone(3), ...OPUS))
    await using media = await analyse(await bench.write('twice.webm', Buffer.concat([part, part])))
    const peaks = media.analysis.lanes[0]?.peaks ?? new Uint8Array()
    expect(media.analysis.durationMs).toBeGreaterThan(5_950)
    expect(Math.min(...peaks.subarray(1, 118))).toBeGreaterThan(10)
  })
})

describe('analyseMedia: channels', () => {
  const two = [...tone(2, 300), ...tone(2, 900), '-filter_complex', '[0][1]amerge=inputs=2']

  it('mixes them, or makes a lane of each with the very samples', async () => {
    const file = await bench.make('two.wav', ...two, '-ar', '16000')
    await using mixed = await analyse(file)
    expect(mixed.analysis.lanes.map((lane) => lane.channel)).toEqual([null])
    await using split = await analyse(file, { channels: 'split' })
    expect(split.analysis.lanes.map((lane) => lane.channel)).toEqual([0, 1])
    expect((await flacOf(split, 2)).pcm.equals(await referencePcm(file, 2))).toBe(true)
  })

  it('splits a mono file into one lane, and eight channels into eight', async () => {
    await using mono = await analyse(await bench.make('mono.wav', ...tone(1)), {
      channels: 'split',
    })
    expect(mono.analysis.lanes.map((lane) => lane.channel)).toEqual([0])
    const gains = [1, 0, 0.5, 0, 0.25, 0, 0.125, 0].map((gain, index) => `c${index}=${gain}*c0`)
    const eight = ['-af', `pan=8c|${gains.join('|')}`]
    await using wide = await analyse(await bench.make('eight.wav', ...tone(1), ...eight), {
      channels: 'split',
    })
    const levels = wide.analysis.lanes.map((lane) => lane.levelDbfs)
    const loudest = levels[0] ?? Number.NaN
    const expected = [0, null, -6, null, -12, null, -18, null]
    expect(levels.map((level) => level && Math.round(level - loudest))).toEqual(
      expected.map((level) => (level === null ? null : level || 0)),
    )
  })

  it('refuses more channels than may be split, and mixes them', async () => {
    const file = await bench.make('wide.wav', ...two)
    const limits = { ...DEFAULT_BOUNDS.limits, channelsMax: 1 }
    await expect(analyse(file, { channels: 'split', limits })).rejects.toMatchObject({
      code: 'input_unsupported',
      message: expect.stringContaining('media.channelsMax'),
    })
    await using media = await analyse(file, { limits })
    expect(media.analysis.channels).toBe(2)
  })
})

describe('analyseMedia: damaged recordings give what can be decoded', () => {
  it.each([
    ['xing.mp3', []],
    ['xing-behind-cover.mp3', ['-metadata', `comment=${'x'.repeat(100_000)}`]],
    ['cut.webm', OPUS],
    ['cut-no-duration.webm', [...OPUS, '-live', '1', '-f', 'webm']],
    ['cut.ogg', OPUS],
    ['cut.m4a', ['-c:a', 'aac', '-movflags', 'faststart']],
    ['cut.wav', []],
    ['cut.flac', []],
  ])('%s, of which 60 %% are left', async (name, args) => {
    const whole = await bench.make(name, ...tone(10), ...args)
    await using media = await analyse(await cutFile(whole, 0.6))
    expect(media.analysis.warnings).toContain('media_truncated')
    expect(media.analysis.durationMs).toBeGreaterThan(name.includes('cover') ? 500 : 4_500)
    expect(media.analysis.durationMs).toBeLessThan(6_500)
    expect((await flacOf(media)).pcm.length).toBe(media.analysis.samples * 2)
  })

  it('tells damage in the middle from a cut', async () => {
    const file = await bench.make('damaged.m4a', ...tone(10), '-c:a', 'aac')
    const bytes = await readFile(file)
    for (let at = 20_000; at < 28_000; at += 1) bytes[at] = (at * 89) % 256
    await using media = await analyse(await bench.write('damaged-2.m4a', bytes))
    expect(media.analysis.warnings).toEqual(['media_damaged'])
    expect(media.analysis.durationMs).toBeGreaterThan(9_900)
  })
})

describe('analyseMedia: what can not be transcribed', () => {
  const noise = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * index * 7) % 251))
  const cases: [string, () => Promise<string>, string, RegExp][] = [
    ['an empty file', () => bench.write('empty.wav', ''), 'media_corrupt', /empty\.wav is empty/],
    [
      'a text',
      () => bench.write('notes.txt', 'not a recording'),
      'input_unsupported',
      /notes\.txt/,
    ],
    ['noise', () => bench.write('noise.bin', noise), 'input_unsupported', /noise\.bin is not/],
    [
      'a header of nothing',
      () => bench.write('head.ogg', Buffer.concat([Buffer.from('OggS'), noise])),
      'media_corrupt',
      /head\.ogg .*damaged/,
    ],
    [
      'an m4a without its index',
      async () => cutFile(await bench.make('index.m4a', ...tone(5), '-c:a', 'aac'), 0.6),
      'media_corrupt',
      /index \(moov\) is missing/,
    ],
    [
      'a wav without audio',
      async () =>
        bench.write(
          'no.wav',
          (await readFile(await bench.make('a.wav', ...tone(1)))).subarray(0, 78),
        ),
      'media_corrupt',
      /no\.wav holds no audio/,
    ],
    [
      'a film without sound',
      () => bench.make('silent.mp4', '-f', 'lavfi', '-i', 'color=s=32x32:d=1', '-c:v', 'mpeg4'),
      'no_audio_stream',
      /silent\.mp4 has no audio track/,
    ],
  ]
  it.each(cases)('%s', async (_, make, code, message) => {
    const failed = analyse(await make())
    await expect(failed).rejects.toBeInstanceOf(InputError)
    await expect(failed).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    expect(await bench.spooled()).toEqual([])
  })

  it('stops as soon as a recording is longer than allowed', async () => {
    const file = await bench.make('long.flac', ...tone(600))
    const source = fileSource(file)
    const limits = { ...DEFAULT_BOUNDS.limits, durationMaxMs: 2_000 }
    await expect(analyse(source, { limits })).rejects.toMatchObject({
      code: 'media_too_long',
      message: expect.stringContaining('long.flac is longer than media.durationMaxMs'),
    })
    expect(await bench.spooled()).toEqual([])
  })

  it('refuses a file that is too large without reading it', async () => {
    const source = fileSource(await bench.make('large.wav', ...tone(1)))
    const limits = { ...DEFAULT_BOUNDS.limits, sourceBytesMax: 1_000 }
    await expect(analyse(source, { limits })).rejects.toMatchObject({ code: 'media_too_large' })
    expect(source.reads).toEqual([])
  })

  it.each([
    ['list.m3u8', (url: string) => `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${url}\n`],
    ['list.ffconcat', (url: string) => `ffconcat version 1.0\nfile ${url}\n`],
    ['list.mpd', (url: string) => `<MPD><BaseURL>${url}</BaseURL></MPD>`],
    ['list.sdp', (url: string) => `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\na=control:${url}\n`],
  ])('%s makes ffmpeg open nothing else', async (name, content) => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/segment.ts`
    const failed = analyse(await bench.write(name, content(url)))
    await expect(failed).rejects.toMatchObject({ code: 'input_unsupported' })
    await new Promise((resolve) => server.close(resolve))
    expect(asked).toEqual([])
  })
})

describe('analyseMedia: what goes wrong around it', () => {
  it('goes on where a read broke off', async () => {
    const file = await bench.make('reads.wav', ...tone(10))
    const faults = [{ afterBytes: 30_000, error: new Error('reset') }]
    await using whole = await analyse(file)
    await using media = await analyse(faultySource(fileSource(file), faults))
    expect(media.analysis.sha256).toBe(whole.analysis.sha256)
    expect(media.analysis.samples).toBe(whole.analysis.samples)
    expect(media.analysis.warnings).toEqual([])
  })

  it('fails with the error of the source, although ffmpeg calls that a success', async () => {
    const source = fileSource(await bench.make('changed.wav', ...tone(60)))
    const changed = new InputError('media_changed', 'changed.wav was replaced while it was read.')
    const failing: MediaSource = {
      ...source,
      read: async (range, options) => {
        const chunks = await source.read(range, options)
        return (async function* () {
          let atByte = range.startByte
          for await (const chunk of chunks) {
            if (atByte > 3_000_000) throw changed
            yield chunk
            atByte += chunk.length
          }
        })()
      },
    }
    await expect(analyse(failing)).rejects.toBe(changed)
    expect(await bench.spooled()).toEqual([])
  })

  it('ends ffmpeg and removes its files when it is stopped', async () => {
    const stop = new AbortController()
    const reason = new Error('stopped by the test')
    const source = fileSource(await bench.make('stopped.flac', ...tone(600)))
    const halfByte = source.bytes / 2
    const stopping: MediaSource = {
      ...source,
      async read(range, options) {
        if (range.endByte > halfByte) stop.abort(reason)
        return await source.read(range, options)
      },
    }
    await expect(analyse(stopping, {}, stop.signal)).rejects.toBe(reason)
    expect(await bench.spooled()).toEqual([])
  })

  it('fails when time is up, and can be tried again', async () => {
    await using slow = await openWorkbench({ decodeTimeoutMs: 300 })
    const source = fileSource(await bench.make('slow.wav', ...tone(1)))
    const stuck: MediaSource = {
      ...source,
      read: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        }),
    }
    const failed = analyse(stuck, { tools: slow.tools })
    await expect(failed).rejects.toBeInstanceOf(UpstreamError)
    await expect(failed).rejects.toMatchObject({
      code: 'decode_failed',
      message: expect.stringContaining('media.decodeTimeoutMs'),
    })
  })

  it('removes the spool file when the result is disposed', async () => {
    const media = await analyse(await bench.make('disposed.wav', ...tone(1)))
    expect(await bench.spooled()).toHaveLength(1)
    await media[Symbol.asyncDispose]()
    expect(await bench.spooled()).toEqual([])
  })
})
