import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SAMPLE_RATE } from '../../src/model/pcm.js'
import { encodeTones } from '../fakes/tone-encoder.js'
import { toneScript } from '../fakes/tone-script.js'
import { wav } from './wav-bytes.js'

const run = promisify(execFile)

/** What the recordings of the corpus say: 4.6 s. */
export const SCRIPT = toneScript({ seed: 90, count: 10, everyMs: 400, startMs: 300 })
/** How long it takes to say that. */
export const SCRIPT_MS = 4_600

/** Which of the words come back: `most` are all but two, at whatever place. */
export type Heard = 'all' | 'beginning' | 'most' | 'twice' | 'none' | 'anything'

/** How an input has to end. */
export type OddEnd =
  | { kind: 'transcript'; heard: Heard; warnings: readonly string[] }
  /** One sentence with this code; `says` is in it. */
  | { kind: 'refused'; code: string; says: string }

/** A file that nobody hoped for. */
export interface OddInput {
  /** What is odd about it. */
  what: string
  /** Of the file. */
  name: string
  end: OddEnd
  make(bench: InputBench): Promise<Buffer> | Buffer
}

/** Ends in a transcript. */
export function heard(words: Heard, ...warnings: string[]): OddEnd {
  return { kind: 'transcript', heard: words, warnings }
}

/** Ends in a sentence with this code, and with these words in it. */
export function refused(code: string, says: string): OddEnd {
  return { kind: 'refused', code, says }
}

/** One row of the corpus. */
export function odd(what: string, name: string, end: OddEnd, make: OddInput['make']): OddInput {
  return { what, name, end, make }
}

/** What inputs are made of. */
export interface InputBench {
  /** The script as samples. */
  pcm(sampleRate?: number): Int16Array
  /** The script through an encoder of ffmpeg. */
  encode(ending: string, ...args: string[]): Promise<Buffer>
  /** Whatever ffmpeg makes of its arguments. */
  ffmpeg(ending: string, ...args: string[]): Promise<Buffer>
  /** Writes a file on the way. @returns its path */
  file(name: string, text: string): Promise<string>
  /** Counts whoever asks it for anything: nobody may. */
  url: string
}

/** @param folder for files on the way; the caller removes it */
export async function openInputBench(folder: string, url: string): Promise<InputBench> {
  const speech = join(folder, 'speech.wav')
  const pcm = (sampleRate = SAMPLE_RATE) =>
    encodeTones({ words: SCRIPT, durationMs: SCRIPT_MS, sampleRate, gain: 0.8 })
  await writeFile(speech, wav({ samples: pcm() }))
  let made = 0
  const ffmpeg = async (ending: string, ...args: string[]) => {
    made += 1
    const path = join(folder, `made-${made}.${ending}`)
    await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, path])
    return await readFile(path)
  }
  const encode = (ending: string, ...args: string[]) => ffmpeg(ending, '-i', speech, ...args)
  const file = async (name: string, text: string) => {
    const path = join(folder, name)
    await writeFile(path, text)
    return path
  }
  return { pcm, encode, ffmpeg, file, url }
}

/** The first part of a file. */
export function cut(bytes: Buffer, share: number): Buffer {
  return bytes.subarray(0, Math.floor(bytes.length * share))
}

/** Bytes that look like nothing, the same each time. */
export function noise(seed: number, length: number): Buffer {
  let state = seed >>> 0
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 24
    }),
  )
}
