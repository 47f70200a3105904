import { STEP_MS, samplesToMs } from '../../../src/model/pcm.js'
import type { RecognizedWord, Recognizer, RecognizerFactory } from './recognizer.js'

/**
 * A recognizer that ignores the audio and returns a word every `wordEverySteps` steps: `beat0`,
 * `beat1`, … For simulations, where real recognition would take most of the time.
 * @param wordEverySteps null: never a word
 */
export function createMetronomeFactory(wordEverySteps: number | null): RecognizerFactory {
  return {
    name: 'metronome',
    deltaDelayMs: 0,
    start: async () => {},
    create: () => new MetronomeRecognizer(wordEverySteps),
    close: async () => {},
  }
}

const NO_WORDS: RecognizedWord[] = []

class MetronomeRecognizer implements Recognizer {
  /** All words are known as soon as their audio has come. */
  readonly settledMs = Number.POSITIVE_INFINITY
  private readonly beatMs: number
  private beats = 0
  private samples = 0

  constructor(wordEverySteps: number | null) {
    this.beatMs = wordEverySteps === null ? Number.POSITIVE_INFINITY : wordEverySteps * STEP_MS
  }

  feed(samples: Int16Array): void {
    this.samples += samples.length
  }

  end(): void {}

  take(): RecognizedWord[] {
    const heardMs = samplesToMs(this.samples)
    if ((this.beats + 1) * this.beatMs > heardMs) return NO_WORDS
    const words: RecognizedWord[] = []
    for (; (this.beats + 1) * this.beatMs <= heardMs; this.beats += 1) {
      words.push({ text: `beat${this.beats}`, endMs: (this.beats + 1) * this.beatMs })
    }
    return words
  }

  close(): void {}
}
