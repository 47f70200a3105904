import { strict as assert } from 'node:assert'
import { StopRequested } from '../../../src/kernel/errors.js'
import { samplesToMs } from '../../../src/model/pcm.js'
import { SessionTurns, type WaitingWork } from './pocketsphinx-queue.js'
import { type PocketsphinxInstall, PocketsphinxWorker } from './pocketsphinx-worker.js'
import type { RecognizedWord } from './recognizer.js'

/** An utterance whose words are lost; reported to the stand-in's log. */
export interface LostUtterance {
  /** `queue_full`: too much audio waits; `process_failed`: two processes died or hung on it. */
  reason: 'queue_full' | 'process_failed'
  audioMs: number
}

/** How many recognizer processes there are, and how much audio may wait for them. */
export interface PoolOptions {
  install: PocketsphinxInstall
  /** Number of processes; each takes a CPU core and 110 MB. */
  workerCount: number
  /** Most audio, in ms, that may wait for a process (32 bytes per ms). */
  waitingMsMax: number
  onLost: (lost: LostUtterance) => void
}

interface UtteranceWork extends WaitingWork {
  samples: Int16Array
  onWords: (words: RecognizedWord[]) => void
}

/** How often an utterance is tried before it is given up without words. */
const ATTEMPTS = 2

/**
 * A few recognizer processes that serve the utterances of all sessions in fair turns. Three states:
 * *new* until `start`; *running*, when a process that dies is replaced before the next utterance;
 * *closed*, for good.
 */
export class PocketsphinxPool {
  readonly #options: PoolOptions
  readonly #turns: SessionTurns<UtteranceWork>
  readonly #closing = new AbortController()
  #starting: Promise<void> | null = null
  #serving: Promise<void>[] = []

  constructor(options: PoolOptions) {
    this.#options = options
    this.#turns = new SessionTurns({ audioMsMax: options.waitingMsMax })
  }

  /** Starts all processes. @throws ConfigError when the program or its model can't be used */
  start(): Promise<void> {
    assert.equal(this.#starting, null, 'a pool starts once')
    this.#starting = this.#startAll()
    return this.#starting
  }

  /**
   * Recognizes an utterance in its turn.
   * @param onWords called once, later, with the words and their times from the first sample; with
   * none when the utterance is lost; never after its session has left or the pool was closed
   */
  submit(work: {
    session: object
    samples: Int16Array
    onWords: (words: RecognizedWord[]) => void
  }): void {
    const audioMs = samplesToMs(work.samples.length)
    if (this.#turns.offer({ ...work, audioMs })) return
    this.#options.onLost({ reason: 'queue_full', audioMs })
    queueMicrotask(() => work.onWords([]))
  }

  /** Forgets the waiting utterances of a session. */
  leave(session: object): void {
    this.#turns.forget(session)
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    this.#closing.abort(new StopRequested('canceled', 'The recognizer was closed.'))
    await this.#starting?.catch(() => {}) // start() has reported the error
    await Promise.all(this.#serving)
  }

  async #startAll(): Promise<void> {
    const starts = Array.from({ length: this.#options.workerCount }, () => this.#startWorker())
    const settled = await Promise.allSettled(starts)
    const workers = settled.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
    const failed = settled.find((start) => start.status === 'rejected')
    if (failed !== undefined) {
      await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()))
      throw failed.reason
    }
    this.#serving = workers.map((worker) => this.#serve(worker))
  }

  #startWorker(): Promise<PocketsphinxWorker> {
    return PocketsphinxWorker.start(this.#options.install, this.#closing)
  }

  /** Works until the pool is closed, replacing its process whenever that dies. */
  async #serve(first: PocketsphinxWorker): Promise<void> {
    const { signal } = this.#closing
    let worker: PocketsphinxWorker | null = first
    while (!signal.aborted) {
      const work = await this.#turns.take({ signal }).catch(() => null)
      if (work === null) break // closed
      let words: RecognizedWord[] | null = null
      for (let attempt = 0; attempt < ATTEMPTS && words === null && !signal.aborted; attempt++) {
        try {
          if (worker?.isDead) {
            await worker[Symbol.asyncDispose]()
            worker = null
          }
          worker ??= await this.#startWorker()
          words = await worker.recognize(work.samples, { signal })
        } catch {
          // The next attempt starts another process; a failure of the last one is reported below.
        }
      }
      if (signal.aborted) break
      if (words === null) {
        this.#options.onLost({ reason: 'process_failed', audioMs: work.audioMs })
      }
      work.onWords(words ?? [])
    }
    await worker?.[Symbol.asyncDispose]()
  }
}
