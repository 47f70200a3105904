import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecognizedWord, RecognizerFactory } from '../../gpu/standin/recognizers/recognizer.js'
import { createMoonshineFactory } from '../fakes/speech-factory.js'

const run = promisify(execFile)

/** Sounds by ffmpeg's `lavfi`; ten minutes with those of sox. */
const lavfi: Readonly<Record<string, string>> = {
  'white noise': 'anoisesrc=c=white:a=0.3:seed=1:d=40',
  'pink noise': 'anoisesrc=c=pink:a=0.3:seed=2:d=40',
  'brown noise': 'anoisesrc=c=brown:a=0.5:seed=3:d=40',
  'a quiet room': 'anoisesrc=c=pink:a=0.01:seed=4:d=60',
  silence: 'anullsrc=r=16000:d=60',
  // Tones that swell several times a second: the detector takes some for speech.
  'a chord that swells':
    "aevalsrc='0.3*sin(2*PI*220*t)*(0.5+0.5*sin(2*PI*2*t))+0.2*sin(2*PI*330*t)*" +
    "(0.5+0.5*sin(2*PI*3*t))+0.2*sin(2*PI*(440+20*sin(2*PI*5*t))*t)':d=120",
  'a keyboard': "aevalsrc='0.6*exp(-80*mod(t,0.18+0.05*sin(t)))*(random(0)-0.5)':d=120",
}
const plucked = ['pluck', 'C4', 'pluck', 'E4', 'pluck', 'G4']
const sox: Readonly<Record<string, readonly string[]>> = {
  'a guitar': ['synth', '1.5', ...plucked, 'remix', '-', 'fade', '0', '1.5', '0.1', 'repeat', '39'],
  'an organ': ['synth', '60', 'sin', '220', 'sin', '277', 'remix', '-', 'tremolo', '4', '60'],
}

let folder: string
let factory: RecognizerFactory

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-noise-'))
  factory = createMoonshineFactory()
  await factory.start()
})

afterAll(async () => {
  await factory.close()
  await rm(folder, { recursive: true })
})

async function wordsIn(samples: Int16Array): Promise<RecognizedWord[]> {
  const words: RecognizedWord[] = []
  await new Promise<void>((resolve) => {
    const recognizer = factory.create(() => {
      words.push(...recognizer.take())
      if (recognizer.settledMs < Number.POSITIVE_INFINITY) return
      recognizer.close()
      resolve()
    })
    recognizer.feed(samples)
    recognizer.end()
  })
  return words
}

const samplesOf = (bytes: Buffer) => new Int16Array(new Uint8Array(bytes).buffer)
const format = ['-ac', '1', '-ar', '16000', '-f', 's16le']

describe('the stand-in hears no words in', () => {
  it.each(Object.entries(lavfi))('%s', async (_, source) => {
    const pcm = join(folder, 'sound.pcm')
    await run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', source, ...format, pcm])
    const samples = samplesOf(await readFile(pcm))
    expect(samples.length).toBeGreaterThanOrEqual(40 * 16_000)
    expect(await wordsIn(samples)).toEqual([])
  })

  it.each(Object.entries(sox))('%s', async (_, effects) => {
    const raw = ['-r', '16000', '-c', '1', '-b', '16', '-e', 'signed', '-t', 'raw']
    const pcm = join(folder, 'sound.raw')
    await run('sox', ['-R', '-n', ...raw, pcm, ...effects])
    const samples = samplesOf(await readFile(pcm))
    expect(samples.length).toBeGreaterThanOrEqual(59 * 16_000)
    expect(await wordsIn(samples)).toEqual([])
  })
})
