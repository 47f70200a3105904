/** A word that was heard; times from the first sample fed. */
export interface RecognizedWord {
  /** Without spaces around it. */
  text: string
  /** When the word was over. */
  endMs: number
}

/**
 * Turns one utterance's audio into words. `feed` never blocks: what can't be recognized at once is
 * recognized in the background, and `onProgress` says that `settledMs` has risen.
 */
export interface Recognizer {
  /** Mono PCM16 at 16 kHz, any number of samples; the array may be reused by the caller. */
  feed(samples: Int16Array): void
  /**
   * No more audio comes: everything fed so far will be settled, and `settledMs` becomes Infinity.
   */
  end(): void
  /** Every word that ended before this time has been handed out or lies ready for `take`. */
  readonly settledMs: number
  /** Words that became known since the last call, by rising `endMs`. */
  take(): RecognizedWord[]
  /** Frees everything; nothing is called afterwards. */
  close(): void
}

/** One kind of recognizer, shared by all sessions of a server. */
export interface RecognizerFactory {
  readonly name: 'tones' | 'pocketsphinx' | 'metronome'
  /** Upper bound of the time by which this recognizer holds words back, for engine profiles. */
  readonly deltaDelayMs: number
  /** @throws ConfigError when a program or a model that it needs is missing */
  start(): Promise<void>
  create(onProgress: () => void): Recognizer
  close(): Promise<void>
}
