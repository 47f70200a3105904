import { availableParallelism } from 'node:os'
import type { Clock } from '../../../../src/kernel/clock.js'
import { ConfigError } from '../../../../src/kernel/errors.js'
import { SileroVad, type VadStream } from '../../../../src/media/vad/silero-vad.js'
import { samplesToMs } from '../../../../src/model/pcm.js'
import type { RecognizedWord, Recognizer, RecognizerFactory } from '../recognizer.js'
import { DecodeDelay } from './decode-delay.js'
import { DecoderPool, type LostSpeech } from './decoder-pool.js'
import { DecoderThread } from './decoder-thread.js'
import { heardWords } from './heard-words.js'
import {
  UTTERANCE_MS_MAX,
  type Utterance,
  UtteranceCutter,
  WINDOW_SAMPLES,
} from './utterance-cut.js'
import { layWords } from './word-layout.js'

/** Most threads by default: with more the sender, who waits for text, has nothing for them. */
const THREADS_MAX = 8
/** Default limit of waiting speech: half an hour, 58 MB. */
const WAITING_MS_MAX = 30 * 60_000
/** Audio of one session that may wait for the speech detector: half an hour, 58 MB. */
const UNHEARD_MS_MAX = 30 * 60_000
/**
 * Probability from which a window is speech. Higher than where a recording is analysed: the model
 * makes up sentences over music that the detector takes for speech.
 */
const SPEECH_THRESHOLD = 0.7

/** Options of the recognizer. */
export interface SpeechOptions {
  /** Gives `modelConfig` of sherpa-onnx. @throws ConfigError when the model can't be used */
  model: () => Promise<object>
  clock: Pick<Clock, 'monotonicMs'>
  /** Decoder threads; absent: one per CPU core, at most eight. */
  threads?: number
  /** Speech, in ms, that may wait for a thread; absent: half an hour. Words of more are lost. */
  waitingMsMax?: number
  /** Called for speech whose words are lost. */
  onLost?: (lost: LostSpeech) => void
  /** Script of the decoder threads, for tests. */
  script?: string
}

/** What all sessions of a server share. */
interface Shared {
  vad: SileroVad
  pool: DecoderPool
  delay: DecodeDelay
  clock: Pick<Clock, 'monotonicMs'>
  onLost: (lost: LostSpeech) => void
  closing: AbortSignal
}

/**
 * Recognizes speech on the CPU. A speech detector (one thread) cuts it into utterances, at a pause
 * or after 8 s; a few threads decode these, in fair turns of the sessions. Silence is settled as
 * soon as the detector has heard it. With more speech than the threads can decode words come later
 * and later, until half an hour waits and further utterances lose their words.
 */
export function createSpeechFactory(options: SpeechOptions): RecognizerFactory {
  const { clock, onLost = () => {}, script } = options
  const delay = new DecodeDelay()
  const closing = new AbortController()
  let starting: Promise<Shared> | null = null
  let shared: Shared | null = null
  const start = async (): Promise<Shared> => {
    const model = await options.model()
    const { signal } = closing
    const started = await SileroVad.start({ threshold: SPEECH_THRESHOLD }, { signal })
    if (started.kind === 'unavailable') {
      const sentence = `The speech detector can't be loaded (${started.reason})`
      throw new ConfigError('config_invalid', `${sentence}: run 'npm ci' again.`)
    }
    const { vad } = started
    const pool = new DecoderPool({
      startThread: ({ signal }) => DecoderThread.start(model, { signal, script }),
      threads: options.threads ?? Math.min(THREADS_MAX, availableParallelism()),
      waitingMsMax: options.waitingMsMax ?? WAITING_MS_MAX,
      onLost,
    })
    try {
      await pool.start()
    } catch (error) {
      await vad[Symbol.asyncDispose]()
      throw error
    }
    return { vad, pool, delay, clock, onLost, closing: signal }
  }
  return {
    name: 'moonshine',
    get deltaDelayMs() {
      return UTTERANCE_MS_MAX + delay.boundMs
    },
    start: async () => {
      starting = start()
      shared = await starting
    },
    create: (onProgress) => {
      if (shared === null) throw new Error('the recognizer has not been started')
      return new SpeechSession(shared, onProgress)
    },
    close: async () => {
      closing.abort(new Error('the recognizer was closed'))
      const open = await starting?.catch(() => null) // start() has reported the error
      await open?.pool.close()
      await open?.vad[Symbol.asyncDispose]()
    },
  }
}

/** Audio that the detector has, in the order in which it answers; null: refused, no speech. */
interface UnheardAudio {
  /** Whole windows. */
  samples: Int16Array
  isRefused: boolean
}

/** An utterance; `words` is null until they are known. Times are those of the session. */
interface CutUtterance {
  startMs: number
  words: RecognizedWord[] | null
}

/**
 * One session: audio goes to the detector, its answers to the cutter, utterances to the pool. They
 * are returned in order, whichever is decoded first.
 */
class SpeechSession implements Recognizer {
  readonly #shared: Shared
  readonly #onProgress: () => void
  readonly #detector: VadStream
  readonly #cutter = new UtteranceCutter()
  /** Samples after the last whole window. */
  #part = new Int16Array(0)
  #unheard: UnheardAudio[] = []
  #unheardMs = 0
  /** Utterances from the first one on whose words aren't known yet. */
  #pending: CutUtterance[] = []
  #words: RecognizedWord[] = []
  #hasEnded = false
  #isClosed = false

  constructor(shared: Shared, onProgress: () => void) {
    this.#shared = shared
    this.#onProgress = onProgress
    this.#detector = shared.vad.openStream({
      onMask: (mask) => this.#hear(mask),
      // The engine dies as one does whose CUDA device is gone: nothing can be recognized any more.
      onFailure: (error) => {
        if (!shared.closing.aborted) throw error
      },
    })
  }

  get settledMs(): number {
    const first = this.#pending[0]
    if (first !== undefined) return first.startMs
    const isAll = this.#hasEnded && this.#unheard.length === 0
    return isAll ? Number.POSITIVE_INFINITY : this.#cutter.settledMs
  }

  feed(samples: Int16Array): void {
    const all = new Int16Array(this.#part.length + samples.length)
    all.set(this.#part)
    all.set(samples, this.#part.length)
    const whole = all.length - (all.length % WINDOW_SAMPLES)
    this.#part = all.slice(whole)
    if (whole > 0) this.#send(all.slice(0, whole))
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const last = new Int16Array(this.#part.length === 0 ? 0 : WINDOW_SAMPLES)
    last.set(this.#part)
    if (last.length > 0) this.#send(last)
    if (this.#unheard.length === 0) this.#flush()
  }

  take(): RecognizedWord[] {
    const words = this.#words
    if (words.length > 0) this.#words = []
    return words
  }

  close(): void {
    this.#isClosed = true
    this.#detector[Symbol.dispose]()
    this.#shared.pool.leave(this)
  }

  #send(samples: Int16Array): void {
    const audioMs = samplesToMs(samples.length)
    const isRefused = this.#unheardMs + audioMs > UNHEARD_MS_MAX
    if (isRefused) this.#shared.onLost({ reason: 'queue_full', audioMs })
    else {
      this.#detector.send(samples.slice())
      this.#unheardMs += audioMs
    }
    this.#unheard.push({ samples, isRefused })
  }

  /** The detector's answer for the oldest audio that it has. */
  #hear(mask: Uint8Array): void {
    const heard = this.#unheard.shift()
    if (heard === undefined || this.#isClosed) return
    this.#unheardMs -= samplesToMs(heard.samples.length)
    this.#cut(heard.samples, mask)
    while (this.#unheard[0]?.isRefused) {
      this.#cut((this.#unheard.shift() as UnheardAudio).samples, null)
    }
    if (this.#hasEnded && this.#unheard.length === 0) this.#flush()
    this.#onProgress()
  }

  /** @param mask null: no speech */
  #cut(samples: Int16Array, mask: Uint8Array | null): void {
    for (let window = 0; window * WINDOW_SAMPLES < samples.length; window += 1) {
      const from = window * WINDOW_SAMPLES
      this.#cutter.push(samples.subarray(from, from + WINDOW_SAMPLES), mask?.[window] === 1)
    }
    this.#submit()
  }

  #flush(): void {
    this.#cutter.flush()
    this.#submit()
  }

  #submit(): void {
    const { pool, delay, clock } = this.#shared
    for (const cut of this.#cutter.take()) {
      const utterance: CutUtterance = { startMs: cut.startMs, words: null }
      this.#pending.push(utterance)
      const cutMs = clock.monotonicMs()
      pool.submit({
        session: this,
        samples: cut.samples,
        onDecoded: (decoded) => {
          delay.add(clock.monotonicMs() - cutMs)
          if (this.#isClosed) return
          const words = decoded === null ? [] : heardWords(decoded, speechMsOf(cut))
          utterance.words = layWords(words, cut)
          this.#settle()
        },
      })
    }
  }

  #settle(): void {
    let settled = 0
    for (const { words } of this.#pending) {
      if (words === null) break
      this.#words.push(...words)
      settled += 1
    }
    if (settled === 0) return
    this.#pending = this.#pending.slice(settled)
    this.#onProgress()
  }
}

function speechMsOf({ speech }: Utterance): number {
  return samplesToMs(speech.reduce((sum, each) => sum + each, 0) * WINDOW_SAMPLES)
}
