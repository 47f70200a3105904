import { strict as assert } from 'node:assert'
import { Worker } from 'node:worker_threads'
import { orAbort, withTimeout } from '../../../../src/kernel/abort.js'
import { ConfigError, reasonOf, UpstreamError } from '../../../../src/kernel/errors.js'
import { workerScript } from '../../../../src/kernel/worker-script.js'
import { samplesToMs } from '../../../../src/model/pcm.js'

/** What the model wrote for one utterance. */
export interface Decoded {
  text: string
  /** Pieces of words that it wrote, punctuation included. */
  tokens: number
}

type ThreadMessage =
  | { kind: 'ready' }
  | { kind: 'unavailable'; reason: string }
  | ({ kind: 'decoded' } & Decoded)

/** Time in which an utterance must be decoded: on one core it takes a twentieth of its length. */
const HANG_MS = 30_000
const HANG_PER_AUDIO = 2

/**
 * A thread with a model of its own (about 150 MB). *Idle*: it can take an utterance. *Busy*: it has
 * one. *Dead*: it failed, hung or was disposed.
 */
export class DecoderThread implements AsyncDisposable {
  readonly #worker: Worker
  #state: 'idle' | 'busy' | 'dead' = 'idle'

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('error', () => {
      this.#state = 'dead' // reported by decode(), if it has an utterance
    })
    worker.on('exit', () => {
      this.#state = 'dead'
    })
  }

  /**
   * Starts a thread and loads the model (0.3 s).
   * @param modelConfig of sherpa-onnx
   * @param script another worker, for tests
   * @throws ConfigError when the native module or the model can't be loaded; the signal's reason
   */
  static async start(
    modelConfig: object,
    { signal, script }: { signal: AbortSignal; script?: string | undefined },
  ): Promise<DecoderThread> {
    const path = script ?? workerScript('./decoder-worker.mjs', import.meta.url)
    const worker = new Worker(path, { workerData: modelConfig, execArgv: [] })
    try {
      const first = await orAbort(nextMessage(worker), signal)
      if (first.kind === 'ready') return new DecoderThread(worker)
      throw new Error(first.kind === 'unavailable' ? first.reason : first.kind)
    } catch (error) {
      await worker.terminate()
      signal.throwIfAborted()
      throw new ConfigError(
        'config_invalid',
        `The speech recognizer can't be used (${reasonOf(error)}): run 'npm ci' again.`,
        { cause: error },
      )
    }
  }

  /** True once nothing can be decoded any more. */
  get isDead(): boolean {
    return this.#state === 'dead'
  }

  /**
   * Decodes an utterance. One call at a time.
   * @param samples mono at 16 kHz
   * @throws UpstreamError when the thread fails or hangs, the signal's reason; the thread is dead
   * in each case
   */
  async decode(samples: Int16Array, { signal }: { signal: AbortSignal }): Promise<Decoded> {
    assert.equal(this.#state, 'idle', 'an utterance at a time, and none after the end')
    this.#state = 'busy'
    const hangMs = HANG_MS + HANG_PER_AUDIO * samplesToMs(samples.length)
    const onHang = () => broke(`gave no answer in ${hangMs} ms`)
    try {
      const floats = new Float32Array(samples.length)
      // Ten times as fast as `Float32Array.from` with a function.
      for (let at = 0; at < samples.length; at += 1) floats[at] = (samples[at] as number) / 32_768
      const answer = nextMessage(this.#worker)
      this.#worker.postMessage({ samples: floats }, [floats.buffer])
      const message = await withTimeout(hangMs, signal, onHang, (inTime) => orAbort(answer, inTime))
      assert.equal(message.kind, 'decoded')
      this.#state = 'idle'
      return message as Decoded
    } catch (error) {
      this.#state = 'dead'
      signal.throwIfAborted()
      throw error instanceof UpstreamError ? error : broke(`failed (${reasonOf(error)})`, error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'dead'
    await this.#worker.terminate()
  }
}

function broke(what: string, cause?: unknown): UpstreamError {
  return new UpstreamError('internal', `A decoder thread ${what}.`, { effect: 'none', cause })
}

function nextMessage(worker: Worker): Promise<ThreadMessage> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      worker.off('message', onMessage)
      worker.off('error', onError)
      worker.off('exit', onExit)
      outcome()
    }
    const onMessage = (message: ThreadMessage) => settle(() => resolve(message))
    const onError = (error: unknown) => settle(() => reject(error))
    const onExit = (code: number) => settle(() => reject(new Error(`exit code ${code}`)))
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.on('exit', onExit)
  })
}
