import { chmod } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../src/kernel/errors.js'
import { recordingGraph } from '../../src/media/ffmpeg/decode-graph.js'
import { checkFfmpeg } from '../../src/media/ffmpeg/ffmpeg-binaries.js'
import { decodeAudio } from '../../src/media/ffmpeg/ffmpeg-decoder.js'
import { runProcess } from '../../src/media/ffmpeg/run-process.js'
import { fileSource } from '../fakes/media-sources.js'
import { type MediaWorkbench, never, openWorkbench, tone } from '../fakes/media-workbench.js'

// ffmpeg and the model share the machine with everything else that is tested.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let bench: MediaWorkbench
beforeAll(async () => {
  bench = await openWorkbench()
})
afterAll(() => bench[Symbol.asyncDispose]())

const graph = recordingGraph(
  { channels: 1, channelsPlaced: true, lanes: 1, sampleRate: 44_100, audioFromMs: 0 },
  { flac: false },
)

describe('checkFfmpeg', () => {
  it('tells both versions', async () => {
    const paths = { ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe' }
    const { ffmpegVersion, ffprobeVersion } = await checkFfmpeg(paths, { signal: never })
    expect(ffmpegVersion).toMatch(/\d/)
    expect(ffprobeVersion).toBe(ffmpegVersion)
  })

  it.each([
    ['/nowhere/ffmpeg', 'ffprobe', /media\.ffmpegPath is '\/nowhere\/ffmpeg', which was not found/],
    ['ffmpeg', '/nowhere/ffprobe', /media\.ffprobePath/],
    ['ffprobe', 'ffprobe', /is not ffmpeg/],
  ])(
    'with %s and %s names the setting and the line that helps',
    async (...[ff, probe, message]) => {
      const checked = checkFfmpeg({ ffmpegPath: ff, ffprobePath: probe }, { signal: never })
      await expect(checked).rejects.toBeInstanceOf(ConfigError)
      await expect(checked).rejects.toThrow(message)
      await expect(checked).rejects.toThrow('apt-get install')
    },
  )

  it('says why a file that is there can not be started', async () => {
    const file = await bench.write('locked', '#!/bin/sh\n')
    await chmod(file, 0o644)
    const checked = checkFfmpeg({ ffmpegPath: file, ffprobePath: 'ffprobe' }, { signal: never })
    await expect(checked).rejects.toThrow(/could not be started/)
  })
})

describe('runProcess', () => {
  it('keeps the beginning of the output and drops the rest', async () => {
    const options = { signal: never, outputBytesMax: 5 }
    expect(await runProcess('echo', ['0123456789'], options)).toEqual({
      exitCode: 0,
      stdout: '01234',
      stderr: '',
    })
  })

  it('kills the process on an abort', async () => {
    const stop = new AbortController()
    const options = { signal: stop.signal, outputBytesMax: 5 }
    const run = runProcess('sleep', ['3600'], options)
    stop.abort(new Error('enough'))
    await expect(run).rejects.toThrow('enough')
  })
})

describe('decodeAudio', () => {
  const request = (url: string) => ({ ffmpegPath: 'ffmpeg', url, graph, flacPath: null })

  it('lets ffmpeg wait for a slow sink, one chunk at a time', async () => {
    using served = bench.tools.proxy.open(fileSource(await bench.make('slow.wav', ...tone(20))))
    let pending = 0
    let bytes = 0
    const sink = async (pcm: Uint8Array) => {
      pending += 1
      expect(pending).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      bytes += pcm.length
      pending -= 1
    }
    const outcome = await decodeAudio(request(served.url), sink, { signal: never })
    expect(outcome).toMatchObject({ exitCode: 0, pcmBytes: 640_000 })
    expect(bytes).toBe(640_000)
  })

  it('ends ffmpeg when the sink fails, and fails with its error', async () => {
    using served = bench.tools.proxy.open(fileSource(await bench.make('sink.wav', ...tone(60))))
    const full = new Error('the sink is full')
    const sink = () => {
      throw full
    }
    await expect(decodeAudio(request(served.url), sink, { signal: never })).rejects.toBe(full)
  })

  it('rejects, and does not crash the process, when the binary vanished after the check', async () => {
    const missing = { ...request('http://127.0.0.1:9/'), ffmpegPath: '/nowhere/ffmpeg' }
    const decode = decodeAudio(missing, () => {}, { signal: never })
    await expect(decode).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('opens no other protocol than that of the proxy', async () => {
    const file = await bench.make('local.wav', ...tone(1))
    const outcome = await decodeAudio(request(`file:${file}`), () => {}, { signal: never })
    expect(outcome).toMatchObject({ pcmBytes: 0 })
    expect(outcome.exitCode).not.toBe(0)
    expect(outcome.stderrTail.join(' ')).toContain('not on whitelist')
  })
})
