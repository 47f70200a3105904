import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { composeRate } from './compose-speech.js'
import type { Utterance } from './speech-plan.js'

/** An utterance as it stands in a reference. */
export interface SpokenUtterance {
  text: string
  channel: number | null
  startMs: number
  /** One for each word of the text. */
  wordEndsMs: number[]
  /** True where somebody else speaks at the same time. */
  overlaps: boolean
}

/** Slower than flite speaks by itself; people in meetings don't hurry so. */
const stretch = ['--setf', 'duration_stretch=1.1']
/** A telephone on the table: 300 to 3,400 Hz, its dynamics flattened, and further away. */
const phoneFilter = 'highpass=f=300,lowpass=f=3400,acompressor=threshold=0.05:ratio=6,volume=0.5'
/** A pause in flite's list of sounds. */
const pause = 'pau'

const run = promisify(execFile)

/** Speaks an utterance; times count from its first sample. */
export async function speak(
  { voice, text, isOnPhone = false }: Utterance,
  folder: string,
): Promise<{ samples: Int16Array; wordEndsMs: number[] }> {
  const wavPath = join(folder, 'utterance.wav')
  const flite = (said: string, show: string) =>
    run('flite', ['-voice', voice, ...stretch, show, '-t', said, '-o', wavPath])
  const counts: number[] = []
  for (const word of text.split(' ')) {
    const { stdout } = await flite(word, '-ps')
    counts.push(stdout.split(/\s+/).filter((sound) => sound !== '' && sound !== pause).length)
  }
  const { stdout: sounds } = await flite(text, '-psdur')
  const filter = isOnPhone ? ['-af', phoneFilter] : []
  const pcmArgs = [...filter, '-ar', String(composeRate), '-ac', '1', '-f', 's16le', 'pipe:1']
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', wavPath, ...pcmArgs], {
    encoding: 'buffer',
    maxBuffer: 64 * 2 ** 20,
  })
  const samples = new Int16Array(new Uint8Array(stdout).buffer)
  return { samples, wordEndsMs: wordEnds(sounds, counts) }
}

/**
 * Ends of words from the sounds of their sentence (`pau:0.218 g:0.280 …`, ends in s) and the number
 * of sounds of each word by itself; a sentence may have a sound more or less than its words.
 */
function wordEnds(sounds: string, counts: readonly number[]): number[] {
  const ends = sounds
    .trim()
    .split(/\s+/)
    .map((each) => each.split(':'))
    .flatMap(([sound, end]) => (sound === pause ? [] : [Number(end) * 1000]))
  const total = counts.reduce((sum, count) => sum + count, 0)
  let said = 0
  return counts.map((count) => {
    said += count
    return Math.round(ends[Math.round((said / total) * ends.length) - 1] ?? 0)
  })
}

/** Marks the utterances during which another one is heard in the same channel. */
export function withOverlaps(spoken: readonly SpokenUtterance[]): SpokenUtterance[] {
  const endOf = ({ wordEndsMs }: SpokenUtterance) => wordEndsMs.at(-1) ?? 0
  const meets = (one: SpokenUtterance, other: SpokenUtterance) =>
    one !== other &&
    one.channel === other.channel &&
    one.startMs < endOf(other) &&
    other.startMs < endOf(one)
  return spoken.map((one) => ({ ...one, overlaps: spoken.some((other) => meets(one, other)) }))
}
