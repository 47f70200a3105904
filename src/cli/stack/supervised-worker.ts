import { EXIT } from '../../app/exit-code.js'
import { type Clock, sleepFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { RunningChild } from './child-process.js'

/** One that lives for less is not worth its start. */
const SHORT_LIFE_MS = 10_000
/** Short lives in a row after which nothing is started any more. */
const SHORT_LIVES_MAX = 5
/** Node's own code for an exception that nobody caught. */
const CRASHED = 1
/** Before the next one is started. */
const PAUSE_MS = 500

/**
 * A worker process that is started again when it dies: killed, crashed, or drained by itself after
 * a bug. What it ran goes on from its checkpoints, and recordings at which workers die are set
 * aside by the queue, so one of them never stops the rest. A bug has cost the job that met it, so
 * that there is an end to them, however short the lives in between.
 *
 * States: running (a process is ready), starting (the last one has died), and ended (told to stop,
 * or given up; `broken` has rejected then).
 */
export class SupervisedWorker implements AsyncDisposable {
  /** Rejects when no worker can be kept any more. */
  readonly broken: Promise<never>
  private worker: RunningChild
  private readonly start: () => Promise<RunningChild>
  private readonly clock: Clock
  private readonly logPath: string
  private readonly stopping = new AbortController()

  /** @param options `start` resolves to one that is ready; `logPath` is named when it ends */
  static async start(options: {
    start(): Promise<RunningChild>
    clock: Clock
    logPath: string
  }): Promise<SupervisedWorker> {
    return new SupervisedWorker(await options.start(), options)
  }

  private constructor(
    first: RunningChild,
    options: { start(): Promise<RunningChild>; clock: Clock; logPath: string },
  ) {
    this.worker = first
    this.start = options.start
    this.clock = options.clock
    this.logPath = options.logPath
    this.broken = this.keep()
    this.broken.catch(() => {}) // whoever cares races it
  }

  /** Of the process that runs, or ran last. */
  get pid(): number {
    return this.worker.pid
  }

  /** Tells it `how` to end; resolves when it is gone. Nothing is started afterwards. */
  async stop(how: 'drain' | 'abort'): Promise<void> {
    this.stopping.abort()
    this.worker[how]()
    await this.worker.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort()
    await this.worker[Symbol.asyncDispose]()
  }

  private async keep(): Promise<never> {
    for (let shortLives = 0; ; ) {
      const readyMs = this.clock.monotonicMs()
      const { code, signal } = await this.worker.exited
      if (this.stopping.signal.aborted) return await forever()
      const isShort = this.clock.monotonicMs() - readyMs < SHORT_LIFE_MS && code !== EXIT.bug
      shortLives = isShort ? shortLives + 1 : 0
      const mayLive = signal !== null || code === EXIT.bug || code === CRASHED
      if (!mayLive || shortLives >= SHORT_LIVES_MAX) {
        throw new UpstreamError(
          'internal',
          `The worker ended by itself (${signal ?? `exit code ${code}`}); see ${this.logPath}.`,
        )
      }
      await this.startNext()
    }
  }

  private async startNext(): Promise<void> {
    const { signal } = this.stopping
    // Being told to stop is the other way to end; the round that follows sees it.
    await sleepFor(this.clock, PAUSE_MS, { signal }).catch(() => {})
    if (signal.aborted) return
    const next = await this.start()
    this.worker = next
    if (signal.aborted) await next[Symbol.asyncDispose]()
  }
}

function forever(): Promise<never> {
  return new Promise(() => {})
}
