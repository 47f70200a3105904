import { STEP_MS } from '../../../src/model/pcm.js'
import { deltasDue, deltasTotal, promptTokens } from '../../../src/model/step-law.js'
import type { Recognizer, RecognizerFactory } from '../recognizers/recognizer.js'
import { subwords, TextPlacement, wholeWords } from './text-placement.js'

/** What an utterance is generated with. */
export interface GenerationOptions {
  recognizer: RecognizerFactory
  /**
   * Tokens of the whole session, prompt included; when they are used up the generation ends early.
   */
  maxModelLen: number
  /**
   * False imitates builds without right padding: no delta follows the last audio, and the text due
   * there is lost.
   */
  rightPadding: boolean
  /** Called when `state` may have changed through the recognizer, not through the owner. */
  onProgress: () => void
}

/**
 * One utterance: audio in, one delta per step out. Three modes:
 * - receiving: takes audio, and gives delta i once its audio has come and its text is known;
 * - ending, after `end`, or once there is enough audio to reach the length limit: further audio is
 *   ignored, the remaining deltas come as their text is known;
 * - done, when all deltas were taken: only `close` may follow.
 * Keeps no audio; the recognizer has bounds of its own.
 */
export class Generation {
  private readonly deltasMax: number
  private readonly rightPadding: boolean
  private readonly recognizer: Recognizer
  private readonly placement: TextPlacement
  private samples = 0
  private taken = 0
  private written = ''
  private ended = false
  private full = false

  constructor(options: GenerationOptions) {
    this.deltasMax = options.maxModelLen - promptTokens()
    this.rightPadding = options.rightPadding
    this.recognizer = options.recognizer.create(options.onProgress)
    // Fixtures keep whole words, so that a test can detect a doubled one; speech is split into
    // subwords, as a real tokenizer does.
    const split = options.recognizer.name === 'moonshine' ? subwords : wholeWords
    this.placement = new TextPlacement(split)
  }

  /** True after END: audio that follows belongs to the next utterance. */
  get isEnded(): boolean {
    return this.ended
  }

  /** Number of deltas taken so far. */
  get deltas(): number {
    return this.taken
  }

  /** True when it reached the length limit before the end of its audio. */
  get isCapped(): boolean {
    return this.taken === this.deltasMax && this.taken < this.deltasByAudio()
  }

  /** All text taken so far; `done.text` at the end. */
  get text(): string {
    return this.written
  }

  /** True when its first step is due, for which it needs a seat in the engine. */
  get isStarted(): boolean {
    return this.ended ? this.samples > 0 : deltasDue(this.samples) > 0
  }

  /** What comes next, and whether it can come now. */
  get state(): 'delta' | 'waiting' | 'done' {
    if (this.taken >= this.deltasEnd()) return 'done'
    return this.isHeard() && this.isKnown() ? 'delta' : 'waiting'
  }

  feed(samples: Int16Array): void {
    this.samples += samples.length
    if (this.full) return
    this.recognizer.feed(samples)
    this.full = deltasDue(this.samples) >= this.deltasMax
    if (this.full) this.recognizer.end()
  }

  /** Ends the audio of this utterance. */
  end(): void {
    this.ended = true
    if (!this.full) this.recognizer.end()
  }

  /**
   * The text of the next delta; call it only when `state` is `delta`. With `blank` the text is
   * lost.
   */
  take({ blank }: { blank: boolean }): string {
    this.placement.place(this.recognizer.take())
    let text = this.placement.take(this.taken)
    this.taken += 1
    const isLast = this.taken === this.deltasByAudio()
    if (isLast && this.rightPadding) text += this.placement.takeRest()
    if (blank) return ''
    this.written += text
    return text
  }

  /** Frees the recognizer. */
  close(): void {
    this.recognizer.close()
  }

  private deltasEnd(): number {
    return Math.min(this.deltasMax, this.deltasByAudio())
  }

  /** Number of deltas that the audio gives in all; Infinity before END. */
  private deltasByAudio(): number {
    if (!this.ended) return Number.POSITIVE_INFINITY
    return this.rightPadding ? deltasTotal(this.samples) : deltasDue(this.samples)
  }

  private isHeard(): boolean {
    return this.ended || this.taken < deltasDue(this.samples)
  }

  /**
   * True when the next delta's text is final. A word goes to the delta nearest to its end, so half
   * a step of audio beyond the delta must be settled.
   */
  private isKnown(): boolean {
    const { settledMs } = this.recognizer
    if (this.taken + 1 === this.deltasByAudio()) return settledMs === Number.POSITIVE_INFINITY
    return settledMs >= (this.taken + 0.5) * STEP_MS
  }
}
