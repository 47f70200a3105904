import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  RecognizedWord,
  Recognizer,
  RecognizerFactory,
} from '../../../../../gpu/standin/recognizers/recognizer.js'
import { seededRandom } from '../../../../../src/kernel/seeded-random.js'
import { wordErrorRate } from '../../../../../src/transcript/words/word-error-rate.js'
import { createMoonshineFactory } from '../../../../fakes/speech-factory.js'
import { whiteNoise } from '../../../../fakes/tone-noise.js'

const run = promisify(execFile)

/** A stand-up meeting; the pauses follow the lines. */
const LINES = [
  ['rms', 'Good morning everybody, let us start the meeting.', 700],
  ['slt', 'Yesterday I worked on the search and it is much faster now.', 450],
  ['rms', 'Can you share the numbers with the team after lunch?', 1500],
  ['slt', 'Yes, I can help you with that this afternoon.', 300],
] as const
const SAID = LINES.map(([, text]) => text).join(' ')
const FRAME_SAMPLES = 1280

let folder: string
let lines: Int16Array[]
let meeting: Int16Array
let factory: RecognizerFactory

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-speech-'))
  lines = []
  for (const [voice, text, pauseMs] of LINES) {
    const wav = join(folder, 'line.wav')
    await run('flite', ['-voice', voice, '-t', text, '-o', wav])
    const options = ['-v', 'error', '-nostdin', '-i', wav, '-af', `apad=pad_dur=${pauseMs}ms`]
    const format = ['-ac', '1', '-ar', '16000', '-f', 's16le', '-']
    const { stdout } = await run('ffmpeg', [...options, ...format], { encoding: 'buffer' })
    lines.push(new Int16Array(stdout.buffer, stdout.byteOffset, stdout.length >> 1))
  }
  meeting = Int16Array.from(lines.flatMap((line) => [...line]))
  factory = createMoonshineFactory({ threads: 2 })
  await factory.start()
})

afterAll(async () => {
  await factory.close()
  await rm(folder, { recursive: true })
})

/** Feeds frames of 80 ms and resolves with all words once everything is settled. */
function transcribe(samples: Int16Array, from: RecognizerFactory = factory) {
  return new Promise<RecognizedWord[]>((resolve) => {
    const words: RecognizedWord[] = []
    let settledMs = 0
    const onProgress = () => {
      const fresh = recognizer.take()
      if (fresh.some(({ endMs }) => endMs < settledMs)) throw new Error('a settled word changed')
      words.push(...fresh)
      settledMs = recognizer.settledMs
      if (settledMs < Number.POSITIVE_INFINITY) return
      recognizer.close()
      resolve(words)
    }
    const recognizer = from.create(onProgress)
    for (let at = 0; at < samples.length; at += FRAME_SAMPLES) {
      recognizer.feed(samples.subarray(at, at + FRAME_SAMPLES))
    }
    recognizer.end()
    if (recognizer.settledMs === Number.POSITIVE_INFINITY) onProgress()
  })
}

const textOf = (words: readonly RecognizedWord[]) => words.map(({ text }) => text).join(' ')

describe('the recognizer of speech', () => {
  it('recognizes a meeting, and every line of it where it is said', async () => {
    const [words, again] = await Promise.all([transcribe(meeting), transcribe(meeting)])
    expect(wordErrorRate(SAID, textOf(words)).rate).toBeLessThan(0.06)
    expect(again).toEqual(words) // sessions don't leave traces in each other
    const endsMs = words.map(({ endMs }) => endMs)
    expect(endsMs).toEqual([...endsMs].sort((one, other) => one - other))
    let startMs = 0
    for (const [index, line] of lines.entries()) {
      const endMs = startMs + line.length / 16
      const said = words.filter(({ endMs: at }) => startMs < at && at <= endMs)
      expect(wordErrorRate(LINES[index]?.[1] ?? '', textOf(said)).rate).toBeLessThan(0.2)
      startMs = endMs
    }
  })

  it('hears no word in silence, noise and clicks', async () => {
    const samples = 20 * 16_000
    const clicks = new Int16Array(samples)
    for (let at = 4000; at < samples; at += 5003) clicks.fill(20_000, at, at + 12)
    const noise = (rms: number) => whiteNoise({ seed: 3, samples, rms })
    for (const sound of [new Int16Array(samples), noise(30), noise(3000), clicks]) {
      expect(await transcribe(sound)).toEqual([])
    }
  })

  it('gives 40 sessions that are opened and closed at random their own text alone', async () => {
    const random = seededRandom(5)
    const own = await Promise.all(lines.map((line) => transcribe(line).then(textOf)))
    const sessions = Array.from({ length: 40 }, async (_, index) => {
      const which = index % lines.length
      const line = lines[which] as Int16Array
      // A third ends in the middle, wherever that is, and its words are nobody's.
      const isLeft = random.uniform() < 0.33
      if (!isLeft) return expect(textOf(await transcribe(line))).toBe(own[which])
      const recognizer: Recognizer = factory.create(() => recognizer.take())
      recognizer.feed(line.subarray(0, Math.floor(random.uniform() * line.length)))
      if (random.uniform() < 0.5) recognizer.end()
      await new Promise((resolve) => setImmediate(resolve))
      recognizer.close()
    })
    await Promise.all(sessions)
    expect(textOf(await transcribe(meeting))).toBe(own.join(' '))
  })

  it('tells how much later its words come, from the longest utterance on', () => {
    expect(factory.deltaDelayMs).toBeGreaterThanOrEqual(12_000)
    expect(factory.deltaDelayMs).toBeLessThanOrEqual(32_000)
  })

  it('says what is wrong with the model before it serves', async () => {
    const model = () => Promise.reject(new Error('no model'))
    const broken = createMoonshineFactory({ model })
    await expect(broken.start()).rejects.toThrow('no model')
    await broken.close()
  })
})
