/** A voice of flite. */
export type Voice = 'rms' | 'slt' | 'kal16' | 'awb'

/** One stretch of speech, without a pause inside that is worth a cut. */
export interface Utterance {
  voice: Voice
  text: string
  /** Silence after it; negative where the next one begins before this one ends. */
  pauseMs: number
  /** Heard over a telephone that lies on the table. */
  isOnPhone?: boolean
  /** Channel that it is heard in, 0-based; absent: in all of them. */
  channel?: number
}

/** Somebody coughs. */
export interface Cough {
  coughSeed: number
  pauseMs: number
}

/** What becomes of a sample when it is transcribed. */
export type Expectation = 'transcript' | 'empty' | 'error'

/** A sample: what is said in it, how it is stored, and what it is there to show. */
export interface SamplePlan {
  name: string
  /** In `samples/audio`. */
  fileName: string
  /** For the table of `samples/README.md`. */
  shows: string
  expect: Expectation
  /** How the quick start transcribes it: one transcript, or one for each channel. */
  channels: 'mix' | 'split'
  utterances: readonly (Utterance | Cough)[]
  /** Louder noise of a room, with a fan and a hum; absent: a quiet one. */
  hasRoomTone?: boolean
  /** Words that a transcript of it must hold, from its start, middle and end. */
  keyPhrases: readonly string[]
  /** Channels of the speech before it is encoded. */
  channelCount: 1 | 2
  /** Length where nothing is said. */
  silenceMs?: number
  /** ffmpeg's arguments for the output; empty for a file that ffmpeg doesn't write. */
  encode: readonly string[]
  /** With a moving picture, as video. */
  withPicture?: boolean
  /** Write through a pipe: the container can't go back to note its duration. */
  piped?: boolean
}

/** The words of a plan, of one channel or of all, in the order of speaking. */
export function wordsOf(plan: SamplePlan, channel?: number): string {
  const heard = spokenIn(plan).filter(
    (utterance) => channel === undefined || utterance.channel === channel,
  )
  return heard.map((utterance) => utterance.text).join(' ')
}

/** What is said, without coughs. */
export function spokenIn(plan: SamplePlan): Utterance[] {
  return plan.utterances.flatMap((each) => ('text' in each ? [each] : []))
}
