import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecognizedWord } from '../../../gpu/standin/recognizers/recognizer.js'
import { ToneDecoder } from '../../../gpu/standin/recognizers/tones-decoder.js'
import { ToneSpectrum } from '../../../gpu/standin/recognizers/tones-spectrum.js'
import { encodeTones, type ToneWord } from '../../fakes/tone-encoder.js'
import { whiteNoise } from '../../fakes/tone-noise.js'
import { toneScript } from '../../fakes/tone-script.js'
import { writeWav } from '../../fakes/tone-wav.js'

const run = promisify(execFile)
const DURATION_MS = 10_000
const WORDS = toneScript({ seed: 4, count: 38, everyMs: 260 })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-tones-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function ffmpeg(args: string[]): Promise<Buffer> {
  const quiet = ['-v', 'error', '-nostdin', '-y']
  const { stdout } = await run('ffmpeg', [...quiet, ...args], {
    encoding: 'buffer',
    maxBuffer: 16 * 1024 * 1024,
  })
  return stdout
}

/** Decodes a file to mono at 16 kHz, as the pipeline does, and listens to it. */
async function heardIn(path: string): Promise<RecognizedWord[]> {
  const pcm = await ffmpeg(['-i', path, '-ac', '1', '-ar', '16000', '-f', 's16le', '-'])
  const decoder = new ToneDecoder(new ToneSpectrum())
  decoder.push(new Int16Array(pcm.buffer, pcm.byteOffset, Math.floor(pcm.length / 2)))
  decoder.flush()
  return decoder.take()
}

/** Every word once, in order, its end within 20 ms of where it was said. */
function expectHeard(heard: readonly RecognizedWord[]): void {
  expect(heard.map(({ text }) => text)).toEqual(WORDS.map(({ text }) => text))
  const errorsMs = heard.map(({ endMs }, index) =>
    Math.abs(endMs - (WORDS[index] as ToneWord).endMs),
  )
  expect(Math.max(...errorsMs)).toBeLessThanOrEqual(20)
}

const MP3 = ['mp3', '-c:a', 'libmp3lame', '-b:a', '32k']
const AAC = ['m4a', '-c:a', 'aac', '-b:a', '32k']
const OPUS = ['opus', '-c:a', 'libopus', '-b:a', '32k']
const VORBIS = ['ogg', '-c:a', 'libvorbis', '-q:a', '0']
const TELEPHONE = ['wav', '-c:a', 'pcm_mulaw', '-ar', '8000']

describe('tones through ffmpeg', () => {
  it.each([
    { sampleRate: 8000, codecs: [MP3, AAC, OPUS, VORBIS] },
    { sampleRate: 16_000, codecs: [MP3, OPUS] },
    { sampleRate: 44_100, codecs: [MP3, AAC, VORBIS, TELEPHONE] },
    { sampleRate: 48_000, codecs: [OPUS] },
  ])('come through resampling from $sampleRate Hz and all codecs', async (source) => {
    const { sampleRate, codecs } = source
    const wav = join(folder, `${sampleRate}.wav`)
    const audio = encodeTones({ words: WORDS, durationMs: DURATION_MS, sampleRate })
    await writeWav(wav, [audio], sampleRate)
    expectHeard(await heardIn(wav))
    for (const [extension, ...options] of codecs) {
      const path = join(folder, `${sampleRate}-coded.${extension}`)
      await ffmpeg(['-i', wav, ...options, path])
      expectHeard(await heardIn(path))
    }
  })

  it('come through a mix of two channels of which one is silence or noise', async () => {
    const audio = encodeTones({ words: WORDS, durationMs: DURATION_MS, sampleRate: 48_000 })
    const others = [
      new Int16Array(audio.length),
      whiteNoise({ seed: 1, samples: audio.length, rms: 300 }),
    ]
    for (const [index, other] of others.entries()) {
      const wav = join(folder, `stereo-${index}.wav`)
      await writeWav(wav, [other, audio], 48_000)
      const path = join(folder, `stereo-${index}.mp3`)
      await ffmpeg(['-i', wav, '-c:a', 'libmp3lame', '-b:a', '64k', path])
      expectHeard(await heardIn(path))
    }
  })

  it('come through at a tenth of their loudness', async () => {
    const wav = join(folder, 'loud.wav')
    await writeWav(wav, [encodeTones({ words: WORDS, durationMs: DURATION_MS })], 16_000)
    const path = join(folder, 'quiet.mp3')
    await ffmpeg(['-i', wav, '-af', 'volume=-20dB', '-c:a', 'libmp3lame', '-b:a', '32k', path])
    expectHeard(await heardIn(path))
  })
})
