import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import type { AnalyseOptions } from '../../src/media/analyse.js'
import { type MediaTools, openMediaTools } from '../../src/media/media-tools.js'
import type { VadOptions } from '../../src/media/vad/open-vad.js'

const run = promisify(execFile)

/** A signal for tests that nobody aborts. */
export const never = new AbortController().signal

/** Bounds as in the default settings. */
export const DEFAULT_BOUNDS = {
  limits: { durationMaxMs: 12 * 3600 * 1000, sourceBytesMax: 10 * 2 ** 30, channelsMax: 8 },
  speech: { speechMinMs: 250, silenceMinMs: 300, pauseMinMs: 400 },
} satisfies Pick<AnalyseOptions, 'limits' | 'speech'>

/** A temporary folder with recordings made by ffmpeg, and tools that spool into it. */
export interface MediaWorkbench extends AsyncDisposable {
  tools: MediaTools
  /** Runs `ffmpeg <args> <file>` and gives the file's path. */
  make(name: string, ...args: string[]): Promise<string>
  write(name: string, bytes: Uint8Array | string): Promise<string>
  /** Names of the spool files that are there. */
  spooled(): Promise<string[]>
}

export async function openWorkbench(
  options: { vad?: VadOptions; decodeTimeoutMs?: number } = {},
): Promise<MediaWorkbench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nightscribe-media-'))
  const spoolDir = path.join(folder, 'spool')
  const tools = await openMediaTools(
    {
      ffmpegPath: 'ffmpeg',
      ffprobePath: 'ffprobe',
      spoolDir,
      decodeTimeoutMs: options.decodeTimeoutMs ?? 60_000,
      vad: options.vad ?? { method: 'energy', threshold: 0.5 },
      clock: systemClock(),
      random: systemRandom(),
    },
    { signal: never },
  )
  return {
    tools,
    make: async (name, ...args) => {
      const file = path.join(folder, name)
      await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, file])
      return file
    },
    write: async (name, bytes) => {
      const file = path.join(folder, name)
      await writeFile(file, bytes)
      return file
    },
    spooled: () => readdir(spoolDir),
    [Symbol.asyncDispose]: async () => {
      await tools[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Input arguments for ffmpeg: a tone of `seconds`. */
export function tone(seconds: number, hertz = 440): string[] {
  return ['-f', 'lavfi', '-i', `sine=frequency=${hertz}:duration=${seconds}`]
}

/** Samples of a file as ffmpeg itself decodes them: s16le, 16 kHz, `channels` interleaved. */
export async function referencePcm(file: string, channels: number): Promise<Buffer> {
  const args = ['-v', 'error', '-nostdin', '-i', file, '-ac', String(channels), '-ar', '16000']
  const { stdout } = await run('ffmpeg', [...args, '-f', 's16le', 'pipe:1'], {
    encoding: 'buffer',
    maxBuffer: 2 ** 28,
  })
  return stdout
}
