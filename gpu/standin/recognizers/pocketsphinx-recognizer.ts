import { availableParallelism } from 'node:os'
import { samplesToMs } from '../../../src/model/pcm.js'
import { type LostUtterance, PocketsphinxPool } from './pocketsphinx-pool.js'
import {
  DEBIAN_INSTALL,
  type PocketsphinxInstall,
  PocketsphinxWorker,
} from './pocketsphinx-worker.js'
import type { RecognizedWord, Recognizer, RecognizerFactory } from './recognizer.js'
import { UtteranceCutter } from './utterance-cut.js'

/** Most processes by default: two keep up with eight to ten people who speak without a pause. */
const WORKERS_MAX = 2
/** Default limit of waiting speech: half an hour, 58 MB. */
const WAITING_MS_MAX = 30 * 60_000
/**
 * Longest delay of a word: an utterance of 6 s, its recognition, and as long a wait for a process.
 */
const DELTA_DELAY_MS = 8000

/** Options of the recognizer. */
export interface PocketsphinxOptions {
  /** Absent: as Debian's packages install it. */
  install?: PocketsphinxInstall
  /** Recognizer processes; absent: one per CPU core, at most two. */
  workerCount?: number
  /**
   * Speech, in ms, that may wait for a process; absent: half an hour. Words of further speech are
   * lost.
   */
  waitingMsMax?: number
  /** Called for every utterance whose words are lost. */
  onLost?: (lost: LostUtterance) => void
}

/**
 * Recognizes English speech on the CPU. Words come when an utterance ends, at a pause or after 6 s;
 * silence is settled at once. Sessions share a few processes in fair turns. With more speech than
 * these can recognize, words come later and later, until half an hour waits and further utterances
 * lose their words.
 */
export function createPocketsphinxFactory(options: PocketsphinxOptions = {}): RecognizerFactory {
  const pool = new PocketsphinxPool({
    install: options.install ?? DEBIAN_INSTALL,
    workerCount: options.workerCount ?? Math.min(WORKERS_MAX, availableParallelism()),
    waitingMsMax: options.waitingMsMax ?? WAITING_MS_MAX,
    onLost: options.onLost ?? (() => {}),
  })
  return {
    name: 'pocketsphinx',
    deltaDelayMs: DELTA_DELAY_MS,
    start: () => pool.start(),
    create: (onProgress) => new PocketsphinxRecognizer(pool, onProgress),
    close: () => pool.close(),
  }
}

/**
 * The words of a whole recording, recognized as one utterance: the recognizer's result without any
 * cuts. Takes 0.25 s of CPU per second of audio.
 * @param pcm mono at 16 kHz
 * @throws ConfigError, UpstreamError when the process dies, the signal's reason
 */
export async function recognizeWhole(
  pcm: Int16Array,
  options: { install?: PocketsphinxInstall; signal: AbortSignal },
): Promise<RecognizedWord[]> {
  await using worker = await PocketsphinxWorker.start(options.install ?? DEBIAN_INSTALL, options)
  return await worker.recognize(pcm, options)
}

/**
 * An utterance that was cut off; `words` is null until they are known. Times are those of the
 * session.
 */
interface CutUtterance {
  startMs: number
  words: RecognizedWord[] | null
}

/** One session. Its utterances are returned in order, whichever is recognized first. */
class PocketsphinxRecognizer implements Recognizer {
  readonly #pool: PocketsphinxPool
  readonly #onProgress: () => void
  readonly #cutter = new UtteranceCutter()
  /** Utterances from the first one on whose words aren't known yet. */
  #pending: CutUtterance[] = []
  #words: RecognizedWord[] = []
  #hasEnded = false
  #isClosed = false

  constructor(pool: PocketsphinxPool, onProgress: () => void) {
    this.#pool = pool
    this.#onProgress = onProgress
  }

  get settledMs(): number {
    const first = this.#pending[0]
    if (first !== undefined) return first.startMs
    return this.#hasEnded ? Number.POSITIVE_INFINITY : this.#cutter.settledMs
  }

  feed(samples: Int16Array): void {
    this.#cutter.push(samples)
    this.#submit()
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#cutter.flush()
    this.#submit()
  }

  take(): RecognizedWord[] {
    const words = this.#words
    if (words.length > 0) this.#words = []
    return words
  }

  close(): void {
    this.#isClosed = true
    this.#pool.leave(this)
  }

  #submit(): void {
    for (const { startMs, samples } of this.#cutter.take()) {
      const utterance: CutUtterance = { startMs, words: null }
      this.#pending.push(utterance)
      const endMs = startMs + samplesToMs(samples.length)
      this.#pool.submit({
        session: this,
        samples,
        onWords: (words) => {
          utterance.words = words.map((word) => {
            return { text: word.text, endMs: Math.min(endMs, startMs + word.endMs) }
          })
          this.#settle()
        },
      })
    }
  }

  #settle(): void {
    if (this.#isClosed) return
    let settled = 0
    for (const { words } of this.#pending) {
      if (words === null) break
      this.#words.push(...words)
      settled++
    }
    if (settled === 0) return
    this.#pending = this.#pending.slice(settled)
    this.#onProgress()
  }
}
