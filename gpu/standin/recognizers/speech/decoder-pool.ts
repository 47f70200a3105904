import { strict as assert } from 'node:assert'
import { StopRequested } from '../../../../src/kernel/errors.js'
import { samplesToMs } from '../../../../src/model/pcm.js'
import type { Decoded, DecoderThread } from './decoder-thread.js'
import { SessionTurns, type WaitingWork } from './session-turns.js'

/** Speech whose words are lost; reported to the stand-in's log. */
export interface LostSpeech {
  /** `queue_full`: too much audio waits; `decoder_failed`: two threads failed or hung on it. */
  reason: 'queue_full' | 'decoder_failed'
  audioMs: number
}

/** How many decoder threads there are, and how much audio may wait for them. */
export interface PoolOptions {
  /** Starts a thread. @throws ConfigError when the model can't be used */
  startThread: (options: { signal: AbortSignal }) => Promise<DecoderThread>
  /** Number of threads; each takes a CPU core and about 150 MB. */
  threads: number
  /** Most audio, in ms, that may wait for a thread (32 bytes per ms). */
  waitingMsMax: number
  onLost: (lost: LostSpeech) => void
}

interface UtteranceWork extends WaitingWork {
  samples: Int16Array
  onDecoded: (decoded: Decoded | null) => void
}

/** How often an utterance is tried before it is given up without words. */
const ATTEMPTS = 2

/**
 * A few decoder threads that serve the utterances of all sessions in fair turns. Three states:
 * *new* until `start`; *running*, when a thread that dies is replaced before the next utterance;
 * *closed*, for good.
 */
export class DecoderPool {
  readonly #options: PoolOptions
  readonly #turns: SessionTurns<UtteranceWork>
  readonly #closing = new AbortController()
  #starting: Promise<void> | null = null
  #serving: Promise<void>[] = []

  constructor(options: PoolOptions) {
    this.#options = options
    this.#turns = new SessionTurns({ audioMsMax: options.waitingMsMax })
  }

  /** Starts all threads. @throws ConfigError when the model can't be used */
  start(): Promise<void> {
    assert.equal(this.#starting, null, 'a pool starts once')
    this.#starting = this.#startAll()
    return this.#starting
  }

  /**
   * Decodes an utterance in its turn.
   * @param onDecoded called once, later; with null when the utterance is lost; never after its
   * session has left or the pool was closed
   */
  submit(work: {
    session: object
    samples: Int16Array
    onDecoded: (decoded: Decoded | null) => void
  }): void {
    const audioMs = samplesToMs(work.samples.length)
    if (this.#turns.offer({ ...work, audioMs })) return
    this.#options.onLost({ reason: 'queue_full', audioMs })
    queueMicrotask(() => work.onDecoded(null))
  }

  /** Forgets the waiting utterances of a session. */
  leave(session: object): void {
    this.#turns.forget(session)
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    this.#closing.abort(new StopRequested('canceled', 'The recognizer was closed.'))
    await this.#starting?.catch(() => {}) // start() has reported the error
    await Promise.all(this.#serving)
  }

  async #startAll(): Promise<void> {
    const starts = Array.from({ length: this.#options.threads }, () => this.#startThread())
    const settled = await Promise.allSettled(starts)
    const threads = settled.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
    const failed = settled.find((start) => start.status === 'rejected')
    if (failed !== undefined) {
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()))
      throw failed.reason
    }
    this.#serving = threads.map((thread) => this.#serve(thread))
  }

  #startThread(): Promise<DecoderThread> {
    return this.#options.startThread(this.#closing)
  }

  /** Works until the pool is closed, replacing its thread whenever that dies. */
  async #serve(first: DecoderThread): Promise<void> {
    const { signal } = this.#closing
    let thread: DecoderThread | null = first
    while (!signal.aborted) {
      const work = await this.#turns.take({ signal }).catch(() => null)
      if (work === null) break // closed
      let decoded: Decoded | null = null
      for (let attempt = 0; attempt < ATTEMPTS && decoded === null && !signal.aborted; attempt++) {
        try {
          if (thread?.isDead) {
            await thread[Symbol.asyncDispose]()
            thread = null
          }
          thread ??= await this.#startThread()
          decoded = await thread.decode(work.samples, { signal })
        } catch {
          // The next attempt starts another thread; a failure of the last one is reported below.
        }
      }
      if (signal.aborted) break
      if (decoded === null) {
        this.#options.onLost({ reason: 'decoder_failed', audioMs: work.audioMs })
      }
      work.onDecoded(decoded)
    }
    await thread?.[Symbol.asyncDispose]()
  }
}
