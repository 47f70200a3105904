import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { encodeTones, type ToneWord } from './tone-encoder.js'
import { toneScript } from './tone-script.js'
import { writeWav } from './tone-wav.js'

const run = promisify(execFile)

/** A recording whose words are known. */
export interface ToneRecording {
  bytes: Buffer
  /** By channel. */
  words: ToneWord[][]
  durationMs: number
}

/** What to make. */
export interface ToneRecordingOptions {
  folder: string
  /** Different seeds share no word, up to 65,536 / count of them. */
  seed: number
  count: number
  everyMs?: number
  channels?: number
  /** Encoder arguments of ffmpeg and the ending; plain WAV where absent. */
  encode?: { ending: string; args: readonly string[] }
}

/** Makes one, through real ffmpeg where an encoding is asked for. */
export async function toneRecording(options: ToneRecordingOptions): Promise<ToneRecording> {
  const { folder, seed, count, everyMs = 400, channels = 1, encode } = options
  const durationMs = count * everyMs + 600
  const words = Array.from({ length: channels }, (_, channel) =>
    toneScript({ seed: seed * channels + channel, count, everyMs, startMs: 300 }),
  )
  const wav = join(folder, `tone-${seed}.wav`)
  await writeWav(
    wav,
    words.map((script) => encodeTones({ words: script, durationMs })),
    16_000,
  )
  if (!encode) return { bytes: await readFile(wav), words, durationMs }
  const path = join(folder, `tone-${seed}.${encode.ending}`)
  await run('ffmpeg', ['-v', 'error', '-y', '-i', wav, ...encode.args, path])
  return { bytes: await readFile(path), words, durationMs }
}
