import { EXIT } from '../../app/exit-code.js'
import { type Clock, pauseFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { RunningChild } from './child-process.js'

/** Life in ms below which a worker counts as short-lived. */
const SHORT_LIFE_MS = 10_000
/** Short-lived workers in a row after which no more are started. */
const SHORT_LIVES_MAX = 5
/** Exit code of Node after an uncaught exception. */
const CRASHED = 1
/** Pause, in ms, before the next worker is started. */
const PAUSE_MS = 500

/**
 * A worker process that is started again when it dies: killed, crashed, or drained by itself after
 * a bug. Its jobs go on from their checkpoints. The queue gives a job up after 5 workers died on
 * it, so one recording never stops the rest. A worker that ends after a bug doesn't count as
 * short-lived: the job with the bug has failed, so such restarts end by themselves.
 *
 * States: running (a process is ready), starting (the last one has died), and ended (told to stop,
 * or given up; `broken` has rejected then).
 */
export class SupervisedWorker implements AsyncDisposable {
  /** Rejects when workers keep dying and no more are started. */
  readonly broken: Promise<never>
  private worker: RunningChild
  private readonly start: () => Promise<RunningChild>
  private readonly clock: Clock
  private readonly logPath: string
  private readonly stopping = new AbortController()

  /** @param options `start` resolves to a worker that is ready; errors name `logPath` */
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
    this.broken.catch(() => {}) // callers race it; without one it is no unhandled rejection
  }

  /** Process id of the current or last worker. */
  get pid(): number {
    return this.worker.pid
  }

  /**
   * Tells the worker `how` to end and resolves when it has ended. No worker is started afterwards.
   */
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
    // An aborted pause is no error: the next turn of the loop sees that it has to stop.
    await pauseFor(this.clock, PAUSE_MS, { signal })
    if (signal.aborted) return
    const next = await this.start()
    this.worker = next
    if (signal.aborted) await next[Symbol.asyncDispose]()
  }
}

function forever(): Promise<never> {
  return new Promise(() => {})
}
