import { STEP_MS } from '../../../src/model/pcm.js'
import { deltasDue, deltasTotal, promptTokens } from '../../../src/model/step-law.js'
import type { Recognizer, RecognizerFactory } from '../recognizers/recognizer.js'
import { subwords, TextPlacement, wholeWords } from './text-placement.js'

/** What an utterance is generated with. */
export interface GenerationOptions {
  recognizer: RecognizerFactory
  /** Tokens of the whole session, prompt included; it ends early when they are used up. */
  maxModelLen: number
  /** False imitates builds without right padding: no delta follows the last audio, no text. */
  rightPadding: boolean
  /** Called when `state` may have changed without the owner's doing. */
  onProgress: () => void
}

/**
 * One utterance: audio in, one delta a step out. Three modes:
 * - hearing: takes audio, and gives delta i once its audio is there and its text is known;
 * - ending, after `end` or once so much audio is there that the length limit is certain: audio is
 *   ignored, the deltas that are left come as their text is known;
 * - done, when all deltas were taken: `close` is all that may follow.
 * Buffers no audio; the recognizer has its own bounds.
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
    // Fixtures carry whole words, so that a test can tell a doubled one; speech comes in subwords.
    const split = options.recognizer.name === 'pocketsphinx' ? subwords : wholeWords
    this.placement = new TextPlacement(split)
  }

  /** Whether END was heard: what comes now belongs to the next utterance. */
  get isEnded(): boolean {
    return this.ended
  }

  /** Deltas taken so far. */
  get deltas(): number {
    return this.taken
  }

  /** Whether it met the length limit before its audio's end. */
  get isCapped(): boolean {
    return this.taken === this.deltasMax && this.taken < this.deltasByAudio()
  }

  /** All text taken so far; `done.text` in the end. */
  get text(): string {
    return this.written
  }

  /** Whether its first step is due, for which it needs a seat in the engine. */
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

  /** No more audio belongs to this utterance. */
  end(): void {
    this.ended = true
    if (!this.full) this.recognizer.end()
  }

  /** The next delta's text; only when `state` says `delta`. A blank one loses what it had. */
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

  /** How many deltas the audio gives in all; without end until END was heard. */
  private deltasByAudio(): number {
    if (!this.ended) return Number.POSITIVE_INFINITY
    return this.rightPadding ? deltasTotal(this.samples) : deltasDue(this.samples)
  }

  private isHeard(): boolean {
    return this.ended || this.taken < deltasDue(this.samples)
  }

  /**
   * A word goes to the delta nearest to its end, so half a step beyond the delta must be settled.
   */
  private isKnown(): boolean {
    const { settledMs } = this.recognizer
    if (this.taken + 1 === this.deltasByAudio()) return settledMs === Number.POSITIVE_INFINITY
    return settledMs >= (this.taken + 0.5) * STEP_MS
  }
}
