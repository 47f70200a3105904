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
  /** So much more silence before a word (0-based) than its turn has; none where absent. */
  pauseBeforeMs?: (index: number) => number
  /** Encoder arguments of ffmpeg and the ending; plain WAV where absent. */
  encode?: { ending: string; args: readonly string[] }
}

/** Makes one, through real ffmpeg where an encoding is asked for. */
export async function toneRecording(options: ToneRecordingOptions): Promise<ToneRecording> {
  const { folder, seed, count, everyMs = 400, channels = 1, encode } = options
  const { pauseBeforeMs = () => 0 } = options
  const words = Array.from({ length: channels }, (_, channel) =>
    withPauses(
      toneScript({ seed: seed * channels + channel, count, everyMs, startMs: 300 }),
      pauseBeforeMs,
    ),
  )
  const pausesMs = Array.from({ length: count }, (_, index) => pauseBeforeMs(index))
  const durationMs = count * everyMs + 600 + pausesMs.reduce((sum, ms) => sum + ms, 0)
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

/** A pause of a second after every phrase of so many words. */
export function phrases(words: number): (index: number) => number {
  return (index) => (index > 0 && index % words === 0 ? 1_000 : 0)
}

function withPauses(
  words: readonly ToneWord[],
  pauseBeforeMs: (index: number) => number,
): ToneWord[] {
  let pausedMs = 0
  return words.map(({ text, endMs }, index) => {
    pausedMs += pauseBeforeMs(index)
    return { text, endMs: endMs + pausedMs }
  })
}
