import type {
  RecognizedWord,
  Recognizer,
  RecognizerFactory,
} from '../../gpu/standin/recognizers/recognizer.js'
import { samplesToMs } from '../../src/model/pcm.js'

/**
 * Hears the same words in any audio that is long enough, each as soon as audio up to its end and
 * `lateMs` more was fed, or no more comes.
 * As the factory's name says, the words come whole (`tones`) or in pieces (`moonshine`).
 */
export function createScriptedFactory(
  words: readonly RecognizedWord[],
  { name = 'tones', lateMs = 0 }: { name?: RecognizerFactory['name']; lateMs?: number } = {},
): RecognizerFactory {
  return {
    name,
    deltaDelayMs: lateMs,
    start: async () => {},
    create: () => new ScriptedRecognizer([...words], lateMs),
    close: async () => {},
  }
}

class ScriptedRecognizer implements Recognizer {
  private readonly words: RecognizedWord[]
  private readonly lateMs: number
  private fedMs = 0
  private hasEnded = false

  constructor(words: RecognizedWord[], lateMs: number) {
    this.words = words
    this.lateMs = lateMs
  }

  get settledMs(): number {
    return this.hasEnded ? Number.POSITIVE_INFINITY : this.fedMs - this.lateMs
  }

  feed(samples: Int16Array): void {
    this.fedMs += samplesToMs(samples.length)
  }

  end(): void {
    this.hasEnded = true
  }

  take(): RecognizedWord[] {
    const known = this.words.filter(
      ({ endMs }) => endMs < this.settledMs && endMs <= this.fedMs,
    ).length
    return this.words.splice(0, known)
  }

  close(): void {}
}
