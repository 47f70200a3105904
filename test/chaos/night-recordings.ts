import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '../../src/kernel/random.js'
import { seededRandom } from '../../src/kernel/seeded-random.js'
import { phrases, type ToneRecording, toneRecording } from '../fakes/tone-recording.js'

/** What a recording is like. */
export type NightShape = 'phrases' | 'unbroken' | 'two-lanes'

/** One recording of the night, its words known. */
export interface NightRecording extends ToneRecording {
  /** Its number. */
  index: number
  shape: NightShape
  /** File name in storage. */
  name: string
}

/** Where every word of all recordings stands; no word stands twice. */
export type WordPlaces = ReadonlyMap<string, { lane: string; endMs: number }>

/** What to make. */
export interface NightOptions {
  seed: number
  count: number
  /** Lengths lie between these. */
  secondsMin: number
  secondsMax: number
  folder: string
  /** Called after each one. */
  onMade?: (count: number) => void
}

/** In turn, so that small nights have of each, too. */
const SHAPES: readonly NightShape[] = ['phrases', 'two-lanes', 'phrases', 'unbroken', 'phrases']
const WORD_MS = 400
const PAUSE_MS = 1_000
/** Codes that tones can say. */
const WORDS_MAX = 65_536

/** Makes them; the same for the same options. @throws RangeError for more words than there are */
export async function nightRecordings(options: NightOptions): Promise<NightRecording[]> {
  const { count: recordings, folder } = options
  const random = seededRandom(options.seed)
  const made: NightRecording[] = []
  let codesUsed = 0
  for (let index = 0; index < recordings; index += 1) {
    const shape = SHAPES[index % SHAPES.length] as NightShape
    const channels = shape === 'two-lanes' ? 2 : 1
    const phraseWords = 5 + Math.floor(20 * random.uniform())
    const count = wordCount(options, shape === 'unbroken' ? null : phraseWords, random)
    // Scripts are numbered in steps of their own length: the first one behind all before.
    const seed = Math.ceil(codesUsed / (count * channels))
    codesUsed = (seed + 1) * count * channels
    if (codesUsed > WORDS_MAX) throw new RangeError('The recordings have more words than there are')
    const encode = index % 4 === 0 ? undefined : { ending: 'flac', args: [] }
    const recording = await toneRecording({
      ...{ folder, seed, count, channels, everyMs: WORD_MS, ...(encode ? { encode } : {}) },
      ...(shape === 'unbroken' ? {} : { pauseBeforeMs: phrases(phraseWords) }),
    })
    for (const ending of ['wav', 'flac']) {
      await rm(join(folder, `tone-${seed}.${ending}`), { force: true })
    }
    made.push({ ...recording, index, shape, name: `${index}.${encode?.ending ?? 'wav'}` })
    options.onMade?.(made.length)
  }
  return made
}

function wordCount(
  { secondsMin, secondsMax }: NightOptions,
  phraseWords: number | null,
  random: Random,
): number {
  const durationMs = 1000 * (secondsMin + (secondsMax - secondsMin) * random.uniform())
  const pauseMs = phraseWords === null ? 0 : PAUSE_MS / phraseWords
  return Math.round(durationMs / (WORD_MS + pauseMs))
}

/** `<recording>/<lane>`. */
export function laneName(recording: number, lane: number): string {
  return `${recording}/${lane}`
}

/** Where the words of all recordings stand. */
export function wordPlaces(recordings: readonly NightRecording[]): WordPlaces {
  return new Map(
    recordings.flatMap(({ index, words }) =>
      words.flatMap((script, lane) =>
        script.map(({ text, endMs }) => [text, { lane: laneName(index, lane), endMs }] as const),
      ),
    ),
  )
}
