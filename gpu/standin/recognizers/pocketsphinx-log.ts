import type { RecognizedWord } from './recognizer.js'

const STEP_MS = 10
/**
 * A word's line in the log: word, first and last frame, probability, acoustic and language score,
 * order of the model.
 */
const WORD_LINE = /^(\S+)\s+(\d+)\s+(\d+)\s+\d+\.\d+\s+-?\d+\s+-?\d+\s+-?\d+\s*$/
const DONE_LINE = /^(\S+) done -+$/
/** Entries that are no words: `<s>`, `<sil>`, `[NOISE]`, `++UM++`. */
const NO_WORD = /^(<.*>|\[.*\]|\+\+.*\+\+)$/
/** Suffix of a pronunciation: `to(3)` is the third way to say "to". */
const PRONUNCIATION = /\(\d+\)$/

/**
 * Parses the log of `pocketsphinx_batch -backtrace yes`: for each utterance a table of its words,
 * then a line that says it is done.
 */
export class PocketsphinxLog {
  #words: RecognizedWord[] = []
  #waiting: { name: string; resolve: (words: RecognizedWord[]) => void } | null = null
  #complaint: string | null = null

  /** The last error in the log, in the program's words. */
  get complaint(): string | null {
    return this.#complaint
  }

  /** Resolves with the words of the next utterance of that name; times from its first sample. */
  wordsOf(name: string): Promise<RecognizedWord[]> {
    return new Promise((resolve) => {
      this.#waiting = { name, resolve }
    })
  }

  addLine(line: string): void {
    const [, text, , lastFrame] = WORD_LINE.exec(line) ?? []
    if (text !== undefined) {
      if (NO_WORD.test(text)) return
      const endMs = (Number(lastFrame) + 1) * STEP_MS
      this.#words.push({ text: text.replace(PRONUNCIATION, ''), endMs })
      return
    }
    if (/^(ERROR|FATAL)/.test(line)) this.#complaint = line
    const [, name] = DONE_LINE.exec(line) ?? []
    if (name === undefined) return
    const words = this.#words
    this.#words = []
    if (this.#waiting?.name !== name) return
    this.#waiting.resolve(words)
    this.#waiting = null
  }
}
