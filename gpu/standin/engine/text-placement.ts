import { STEP_MS } from '../../../src/model/pcm.js'
import type { RecognizedWord } from '../recognizers/recognizer.js'

/** Splits a word into the pieces of its deltas: at least one; joined they are the word. */
export type WordSplitter = (word: string) => readonly string[]

/** Puts each word into one delta. */
export const wholeWords: WordSplitter = (word) => [word]

const PIECE_LETTERS_MAX = 5

/** Pieces of nearly equal length, at most five letters, similar to a tokenizer's subwords. */
export const subwords: WordSplitter = (word) => {
  const letters = [...word]
  const count = Math.max(1, Math.ceil(letters.length / PIECE_LETTERS_MAX))
  return Array.from({ length: count }, (_, index) =>
    letters
      .slice(
        Math.round((index * letters.length) / count),
        Math.round(((index + 1) * letters.length) / count),
      )
      .join(''),
  )
}

/** Index of the delta in which a word that ended at `endMs` begins to appear. */
export function deltaIndexOf(endMs: number): number {
  return Math.max(0, Math.round(endMs / STEP_MS))
}

/**
 * Decides which text goes into which delta of an utterance. A word's first piece goes into the
 * delta of its end, its further pieces into the deltas after. The delta before a group of words
 * stays empty, which is the model's word mark. A word due while the previous one is still being
 * written joins its group without a mark. A word that became known too late goes into the next
 * delta.
 */
export class TextPlacement {
  private readonly texts = new Map<number, string>()
  private readonly split: WordSplitter
  /** The first delta that has no text and wasn't taken. */
  private nextFreeIndex = 0

  constructor(split: WordSplitter) {
    this.split = split
  }

  /** Takes words with rising `endMs`, none before those of an earlier call. */
  place(words: readonly RecognizedWord[]): void {
    for (const { text, endMs } of words) {
      const index = Math.max(deltaIndexOf(endMs), this.nextFreeIndex)
      const pieces = this.split(text)
      for (const [offset, piece] of pieces.entries()) {
        this.texts.set(index + offset, offset === 0 ? ` ${piece}` : piece)
      }
      this.nextFreeIndex = index + pieces.length
    }
  }

  /** The text of one delta, empty for most. Call it with rising indexes. */
  take(index: number): string {
    this.nextFreeIndex = Math.max(this.nextFreeIndex, index + 1)
    const text = this.texts.get(index) ?? ''
    this.texts.delete(index)
    return text
  }

  /** All text that wasn't taken, for the last delta of an utterance, so that no word is lost. */
  takeRest(): string {
    const indexes = [...this.texts.keys()].sort((a, b) => a - b)
    return indexes.map((index) => this.take(index)).join('')
  }
}
