import { mkdir } from 'node:fs/promises'
import type { Clock } from '../kernel/clock.js'
import type { Random } from '../kernel/random.js'
import { checkFfmpeg, type FfmpegPaths } from './ffmpeg/ffmpeg-binaries.js'
import { RangeProxy } from './ffmpeg/range-proxy.js'
import { openVad, type VadOptions } from './vad/open-vad.js'
import type { Vad } from './vad/vad.js'

/** Options of the media tools of a process. */
export interface MediaToolsOptions extends FfmpegPaths {
  /** Folder for spool files, created if missing. Its owner empties it at start, after a crash. */
  spoolDir: string
  /** Time limit of one decode, in ms. */
  decodeTimeoutMs: number
  vad: VadOptions
  clock: Clock
  random: Random
}

/** Tools that all decodes and analyses of a process share. */
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
 * Checks ffmpeg, starts the range proxy and the voice activity detector. Dispose the tools after
 * every decode and analysis has ended.
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
