import { mkdir } from 'node:fs/promises'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import { checkFfmpeg, type FfmpegPaths } from './ffmpeg/ffmpeg-binaries.js'
import { RangeProxy } from './ffmpeg/range-proxy.js'
import { openVad, type VadOptions } from './vad/open-vad.js'
import type { Vad } from './vad/vad.js'

/** How the tools of a process are set up. */
export interface MediaToolsOptions extends FfmpegPaths {
  /** For spool files; made when it is missing. Its owner empties it at start, after a crash. */
  spoolDir: string
  /** Wall time of one decode. */
  decodeTimeoutMs: number
  vad: VadOptions
  clock: Clock
  random: Random
}

/** What decodes and analyses share in a process. */
export interface MediaTools extends AsyncDisposable {
  ffmpegPath: string
  ffprobePath: string
  spoolDir: string
  decodeTimeoutMs: number
  clock: Clock
  random: Random
  proxy: RangeProxy
  vad: Vad
}

/**
 * Checks ffmpeg, starts the range proxy and the voice activity detector. To be disposed after
 * everything that uses it.
 * @throws ConfigError for a missing binary, folder or model; the signal's reason
 */
export async function openMediaTools(
  options: MediaToolsOptions,
  { signal }: { signal: AbortSignal },
): Promise<MediaTools> {
  await checkFfmpeg(options, { signal })
  await mkdir(options.spoolDir, { recursive: true })
  const vad = await openVad(options.vad, { signal })
  const proxy = await RangeProxy.listen(options)
  const { ffmpegPath, ffprobePath, spoolDir, decodeTimeoutMs, clock, random } = options
  return {
    ffmpegPath,
    ffprobePath,
    spoolDir,
    decodeTimeoutMs,
    clock,
    random,
    proxy,
    vad,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]()
      await vad[Symbol.asyncDispose]()
    },
  }
}
