import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { orAbort } from '../../kernel/abort.js'
import { reasonOf, StopRequested, UpstreamError } from '../../kernel/errors.js'
import { workerScript } from '../../kernel/worker-script.js'
import { VAD_WINDOW_SAMPLES } from './speech-map.js'
import type { Vad, VadLane } from './vad.js'

/** Samples sent to the worker thread at a time: 1.024 s. */
const SLICE_SAMPLES = 32 * VAD_WINDOW_SAMPLES
/** Slices of one lane that the worker may have before the lane waits: 8, or 256 KiB. */
const SLICES_AHEAD_MAX = 8

const MODEL = '@ricky0123/vad-web/dist/silero_vad_v6.onnx'
/** Hash that the model must have: the native module aborts the whole process for a broken one. */
const MODEL_SHA256 = '1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3'

type WorkerMessage =
  | { kind: 'ready' }
  | { kind: 'unavailable'; reason: string }
  | { kind: 'mask'; lane: number; mask: Uint8Array }

/** Whether the model could be loaded, and why not. */
export type SileroStart =
  | { kind: 'ready'; vad: SileroVad }
  | { kind: 'unavailable'; reason: string }

/** Audio of which each piece is answered as soon as the worker has heard it. */
export interface VadStream extends Disposable {
  /**
   * Gives the worker the next piece, which is not to be used again: whole windows, but for the last
   * piece. It waits in the worker's queue, which has no limit of its own.
   */
  send(pcm: Int16Array, options?: { last: boolean }): void
}

/** Receives the answers of a stream. */
export interface VadListener {
  /** For each piece, in order: a byte for each window, 1 for speech, whose start comes one late. */
  onMask(mask: Uint8Array): void
  /** No answer will come any more. */
  onFailure(error: Error): void
}

/**
 * Runs Silero v6 in one worker thread for the whole process. Lanes share it fairly: each has at
 * most 8 slices there, and the worker takes them in order of arrival.
 *
 * Ready: lanes can be opened. Broken: the worker died; all lanes fail, and new ones do too. Closed:
 * disposed; the thread is gone.
 */
export class SileroVad implements Vad {
  readonly method = 'silero-v6'
  readonly fallbackReason = null
  private readonly worker: Worker
  private readonly streams = new Map<number, VadListener>()
  private streamsOpened = 0
  private broken: Error | null = null

  private constructor(worker: Worker) {
    this.worker = worker
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'mask') this.streams.get(message.lane)?.onMask(message.mask)
    })
    worker.on('error', (error) => this.breakDown(reasonOf(error), error))
    worker.on('exit', (exitCode) => this.breakDown(`exit code ${exitCode}`))
    worker.unref()
  }

  /** Starts the thread and loads the model (about 0.1 s). Never throws for a missing module. */
  static async start(
    options: { threshold: number; modelPath?: string },
    { signal }: { signal: AbortSignal },
  ): Promise<SileroStart> {
    signal.throwIfAborted()
    const model = await findModel(options.modelPath)
    if (model.kind === 'unavailable') return model
    const workerData = { modelPath: model.path, threshold: options.threshold }
    const worker = new Worker(workerScript('./vad-worker.mjs', import.meta.url), {
      workerData,
      execArgv: [],
    })
    try {
      const first = await orAbort(firstMessage(worker), signal)
      if (first.kind === 'ready') return { kind: 'ready', vad: new SileroVad(worker) }
      await worker.terminate()
      return { kind: 'unavailable', reason: first.kind === 'unavailable' ? first.reason : '' }
    } catch (error) {
      await worker.terminate()
      if (signal.aborted) throw signal.reason
      return { kind: 'unavailable', reason: reasonOf(error) }
    }
  }

  openLane(): VadLane {
    return new SileroLane((listener) => this.openStream(listener))
  }

  /** Opens a stream. Its listener is called later, never by this. */
  openStream(listener: VadListener): VadStream {
    const id = this.streamsOpened
    this.streamsOpened += 1
    this.streams.set(id, listener)
    this.worker.ref() // an open stream waits for answers: the process must not exit
    if (this.broken) {
      const { broken } = this
      queueMicrotask(() => listener.onFailure(broken))
    }
    return {
      send: (pcm, { last } = { last: false }) => {
        const message = { kind: 'slice', lane: id, pcm, last }
        this.worker.postMessage(message, [pcm.buffer as ArrayBuffer])
      },
      [Symbol.dispose]: () => {
        if (!this.streams.delete(id)) return
        if (!this.broken) this.worker.postMessage({ kind: 'drop', lane: id })
        if (this.streams.size === 0) this.worker.unref()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.broken ??= new StopRequested('canceled', 'Voice activity detection was closed.')
    for (const listener of this.streams.values()) listener.onFailure(this.broken)
    await this.worker.terminate()
  }

  private breakDown(reason: string, cause?: unknown): void {
    this.broken ??= new UpstreamError(
      'decode_failed',
      `The thread of the voice detector ended (${reason}); the analysis is run again, and this ` +
        "worker must be restarted, or vad.method set to 'energy'.",
      { effect: 'none', cause },
    )
    for (const listener of this.streams.values()) listener.onFailure(this.broken)
  }
}

/** Open: takes samples. Failed: every call throws `failure`. Done: the mask was handed out. */
class SileroLane implements VadLane {
  private readonly stream: VadStream
  private slice = new Int16Array(SLICE_SAMPLES)
  private filled = 0
  private slicesAhead = 0
  private readonly masks: Uint8Array[] = []
  private failure: Error | null = null
  private wake: (() => void) | null = null

  constructor(openStream: (listener: VadListener) => VadStream) {
    this.stream = openStream({
      onMask: (mask) => {
        this.masks.push(mask)
        this.slicesAhead -= 1
        this.wake?.()
      },
      onFailure: (error) => {
        this.failure ??= error
        this.wake?.()
      },
    })
  }

  async push(pcm: Int16Array, { signal }: { signal: AbortSignal }): Promise<void> {
    for (let at = 0; at < pcm.length; ) {
      const part = pcm.subarray(at, at + SLICE_SAMPLES - this.filled)
      this.slice.set(part, this.filled)
      this.filled += part.length
      at += part.length
      if (this.filled === SLICE_SAMPLES) {
        this.sendSlice(false)
        await this.until(SLICES_AHEAD_MAX - 1, signal)
      }
    }
  }

  async finish({ signal }: { signal: AbortSignal }): Promise<Uint8Array> {
    this.sendSlice(true)
    await this.until(0, signal)
    this.stream[Symbol.dispose]()
    return withOnsets(Buffer.concat(this.masks))
  }

  [Symbol.dispose](): void {
    this.stream[Symbol.dispose]()
  }

  private sendSlice(last: boolean): void {
    if (this.failure) return
    const whole = this.slice
    this.stream.send(this.filled === whole.length ? whole : whole.slice(0, this.filled), { last })
    this.slicesAhead += 1
    this.slice = new Int16Array(SLICE_SAMPLES)
    this.filled = 0
  }

  /** Waits until the worker has at most `slicesAhead` slices of this lane unanswered. */
  private async until(slicesAhead: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    while (!this.failure && this.slicesAhead > slicesAhead) {
      const answered = new Promise<void>((resolve) => {
        this.wake = resolve
      })
      await orAbort(answered, signal)
    }
    this.wake = null
    if (this.failure) throw this.failure
  }
}

/** Marks the window before each start of speech: the library reports speech one window late. */
function withOnsets(mask: Uint8Array): Uint8Array {
  for (let index = 1; index < mask.length; index += 1) {
    if (mask[index] === 1 && mask[index - 1] === 0) mask[index - 1] = 1
  }
  return mask
}

function firstMessage(worker: Worker): Promise<WorkerMessage> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (exitCode) => reject(new Error(`exit code ${exitCode}`)))
  })
}

type FoundModel = { kind: 'found'; path: string } | { kind: 'unavailable'; reason: string }

async function findModel(wantedPath: string | undefined): Promise<FoundModel> {
  try {
    const path = wantedPath ?? createRequire(import.meta.url).resolve(MODEL)
    const sha256 = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    if (sha256 === MODEL_SHA256) return { kind: 'found', path }
    return { kind: 'unavailable', reason: `${path} is not the model of Silero v6` }
  } catch (error) {
    // Not installed, or unreadable: the caller falls back to energy or reports it.
    return { kind: 'unavailable', reason: reasonOf(error) }
  }
}
