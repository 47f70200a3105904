import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createPocketsphinxFactory,
  recognizeWhole,
} from '../../../../gpu/standin/recognizers/pocketsphinx-recognizer.js'
import type {
  RecognizedWord,
  RecognizerFactory,
} from '../../../../gpu/standin/recognizers/recognizer.js'
import { wordErrorRate } from '../../../../src/transcript/words/word-error-rate.js'

const run = promisify(execFile)

/** A stand-up meeting; the pauses follow the lines. */
const LINES = [
  ['rms', 'good morning everybody let us start the meeting', 700],
  ['slt', 'yesterday i worked on the search and it is much faster now', 450],
  ['rms', 'can you share the numbers with the team after lunch', 1500],
  ['slt', 'yes i can help you with that this afternoon', 300],
] as const
const SAID = LINES.map(([, text]) => text).join(' ')

let folder: string
let meeting: Int16Array
let factory: RecognizerFactory

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-speech-'))
  const parts: Int16Array[] = []
  for (const [voice, text, pauseMs] of LINES) {
    const wav = join(folder, 'line.wav')
    await run('flite', ['-voice', voice, '-t', text, '-o', wav])
    const options = ['-v', 'error', '-nostdin', '-i', wav]
    const format = ['-ac', '1', '-ar', '16000', '-f', 's16le', '-']
    const pcm = await run('ffmpeg', [...options, ...format], { encoding: 'buffer' })
    parts.push(new Int16Array(pcm.stdout.buffer, pcm.stdout.byteOffset, pcm.stdout.length >> 1))
    parts.push(new Int16Array(pauseMs * 16))
  }
  meeting = Int16Array.from(parts.flatMap((part) => [...part]))
  factory = createPocketsphinxFactory()
  await factory.start()
})

afterAll(async () => {
  await factory.close()
  await rm(folder, { recursive: true })
})

/** Feeds frames of 80 ms and resolves with all words once everything is settled. */
function transcribe(samples: Int16Array): Promise<RecognizedWord[]> {
  return new Promise((resolve) => {
    const words: RecognizedWord[] = []
    const onProgress = () => {
      words.push(...recognizer.take())
      if (recognizer.settledMs < Number.POSITIVE_INFINITY) return
      recognizer.close()
      resolve(words)
    }
    const recognizer = factory.create(onProgress)
    for (let at = 0; at < samples.length; at += 1280) {
      recognizer.feed(samples.subarray(at, at + 1280))
    }
    recognizer.end()
    if (recognizer.settledMs === Number.POSITIVE_INFINITY) onProgress()
  })
}

describe('pocketsphinx recognizer', () => {
  it('recognizes a meeting, with the words and times of one pass over the whole', async () => {
    const [words, again, whole] = await Promise.all([
      transcribe(meeting),
      transcribe(meeting),
      recognizeWhole(meeting, { signal: new AbortController().signal }),
    ])
    const text = words.map((word) => word.text).join(' ')
    expect(wordErrorRate(SAID, text).rate).toBeLessThan(0.1)
    expect(again).toEqual(words) // sessions don't leave traces in each other
    const offsets = words.flatMap(({ text, endMs }) => {
      const gapsMs = whole
        .filter((other) => other.text === text)
        .map((other) => Math.abs(other.endMs - endMs))
      return gapsMs.length > 0 ? [Math.min(...gapsMs)] : []
    })
    expect(offsets.length).toBeGreaterThan(0.9 * words.length)
    expect(offsets.filter((gapMs) => gapMs > 100)).toEqual([])
    const endsMs = words.map(({ endMs }) => endMs)
    expect(endsMs).toEqual([...endsMs].sort((one, other) => one - other))
  })

  it('settles silence without a word and without the recognizer', async () => {
    expect(await transcribe(new Int16Array(30 * 16_000))).toEqual([])
  })
})
