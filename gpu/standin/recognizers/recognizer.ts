/** A recognized word; its time counts from the first sample fed. */
export interface RecognizedWord {
  /** The word without surrounding spaces. */
  text: string
  /** End of the word in ms. */
  endMs: number
}

/**
 * Turns one utterance's audio into words. `feed` never blocks: slow recognition goes on in the
 * background, and `onProgress` is called when `settledMs` has risen.
 */
export interface Recognizer {
  /** Takes mono PCM16 at 16 kHz, any number of samples; the caller may reuse the array. */
  feed(samples: Int16Array): void
  /** Ends the audio: everything fed so far will be settled, and `settledMs` becomes Infinity. */
  end(): void
  /** Time in ms: every word that ended before it has been returned, or is ready for `take`. */
  readonly settledMs: number
  /** Words that became known since the last call, by rising `endMs`. */
  take(): RecognizedWord[]
  /** Frees everything; no callback follows. */
  close(): void
}

/** One kind of recognizer, shared by all sessions of a server. */
export interface RecognizerFactory {
  readonly name: 'tones' | 'moonshine' | 'metronome'
  /**
   * Upper bound, in ms, of the time by which this recognizer delays words; for engine profiles. May
   * rise and fall with the load.
   */
  readonly deltaDelayMs: number
  /** @throws ConfigError when a program or a model that it needs is missing */
  start(): Promise<void>
  create(onProgress: () => void): Recognizer
  close(): Promise<void>
}
