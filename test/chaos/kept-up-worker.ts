import { appendFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT } from '../../src/app/exit-code.js'
import { type RunningChild, startChild } from '../../src/cli/stack/child-process.js'
import { programPath } from '../../src/config/project-root.js'

/** Between two tries to start a worker that doesn't come up: its Redis or storage may be away. */
const START_AGAIN_MS = 500
/** A worker that was told to end has 10 s for it; beyond this it never would. */
const END_TIMEOUT_MS = 60_000

/** What the log of a worker told. */
export interface WorkerLog {
  /** One line, parsed. */
  onLine(worker: string, line: Readonly<Record<string, unknown>>): void
  /** It ended though nobody told it to. */
  onUnexpectedEnd(worker: string, how: string): void
}

/**
 * One worker process after another, as a supervisor keeps it up. Modes: *starting*, until it says
 * that it is ready; *up*; *frozen*, while it is stopped; *down*, between its end and the next
 * start; *over* for good after disposal. Only one that is up is struck.
 */
export class KeptUpWorker implements AsyncDisposable {
  readonly name: string
  private readonly env: Record<string, string | undefined>
  private readonly log: WorkerLog
  private readonly logPath: string | null
  private child: RunningChild | null = null
  private mode: 'starting' | 'up' | 'frozen' | 'down' | 'over' = 'down'
  /** How long it stays down after its next end. */
  private downMs: number | null = null
  private readonly over = new AbortController()
  private keeping: Promise<void> = Promise.resolve()
  /** Jobs whose transcription it has. */
  readonly jobs = new Set<string>()
  starts = 0
  /** The last that it said for people. */
  private sentence: string | null = null

  constructor(options: {
    name: string
    env: Record<string, string | undefined>
    log: WorkerLog
    logFolder: string | null
  }) {
    this.name = options.name
    this.env = options.env
    this.log = options.log
    this.logPath = options.logFolder === null ? null : `${options.logFolder}/${options.name}.log`
  }

  get isUp(): boolean {
    return this.mode === 'up'
  }

  /** Of the process that runs; null between two. */
  get pid(): number | null {
    return this.child?.pid ?? null
  }

  /** Starts the first one and keeps one up. Resolves when it is ready. */
  async start(): Promise<void> {
    await this.startOne()
    this.keeping = this.keep()
  }

  /** SIGKILL. @returns false unless it is up or frozen */
  kill(downMs: number): boolean {
    if (this.child === null || (this.mode !== 'up' && this.mode !== 'frozen')) return false
    this.mode = 'down'
    this.downMs = downMs
    process.kill(this.child.pid, 'SIGKILL')
    return true
  }

  /** SIGSTOP, and SIGCONT after so long. Resolves at once. */
  freeze(durationMs: number): boolean {
    const { child } = this
    if (child === null || this.mode !== 'up') return false
    this.mode = 'frozen'
    process.kill(child.pid, 'SIGSTOP')
    const thaw = async () => {
      await sleep(durationMs, undefined, { signal: this.over.signal }).catch(() => {}) // sooner
      if (this.child !== child) return // killed meanwhile
      process.kill(child.pid, 'SIGCONT')
      if (this.mode === 'frozen') this.mode = 'up'
    }
    void thaw()
    return true
  }

  /** SIGTERM; resolves when the next one is up. @returns false unless it is up */
  async restart(): Promise<boolean> {
    const { child } = this
    if (child === null || this.mode !== 'up') return false
    this.mode = 'down'
    this.downMs = 0
    child.drain()
    const patience = setTimeout(() => process.kill(child.pid, 'SIGKILL'), END_TIMEOUT_MS)
    const { signal, code } = await child.exited
    clearTimeout(patience)
    // While Redis is away nothing can be handed back: it leaves in time all the same. One whose
    // drain has failed says a sentence.
    const isOrderly = code === EXIT.done || (code === EXIT.stopped && this.sentence === null)
    if (!isOrderly)
      this.log.onUnexpectedEnd(
        this.name,
        this.sentence ?? `${signal ?? `code ${code}`} after SIGTERM`,
      )
    while (!this.isUp && !this.over.signal.aborted) await sleep(50)
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.over.abort()
    const { child } = this
    if (child !== null && this.mode === 'frozen') process.kill(child.pid, 'SIGCONT')
    this.mode = 'over'
    await child?.[Symbol.asyncDispose]()
    await this.keeping
    await this.child?.[Symbol.asyncDispose]()
  }

  private async keep(): Promise<void> {
    while (!this.over.signal.aborted) {
      const how = await this.child?.exited
      this.child = null
      this.jobs.clear() // what it had is another's
      if (this.over.signal.aborted) return
      if (this.downMs === null) {
        this.log.onUnexpectedEnd(this.name, how?.signal ?? `code ${how?.code}`)
      }
      this.mode = 'down'
      await sleep(this.downMs ?? 0, undefined, { signal: this.over.signal }).catch(() => {}) // over
      this.downMs = null
      while (!this.over.signal.aborted) {
        if (
          await this.startOne().then(
            () => true,
            () => false,
          )
        )
          break
        await sleep(START_AGAIN_MS)
      }
    }
  }

  private async startOne(): Promise<void> {
    this.mode = 'starting'
    this.sentence = null
    this.child = await startChild({
      name: this.name,
      program: programPath('jobs/worker'),
      args: ['--exit-with-stdin'],
      env: this.env,
      readyEvent: 'ready',
      onLog: (line) => this.heard(line),
      signal: this.over.signal,
    })
    this.starts += 1
    this.mode = 'up'
  }

  private heard(text: string): void {
    if (this.logPath !== null) void appendFile(this.logPath, `${text}\n`)
    if (!text.startsWith('{')) {
      this.sentence = text
      return
    }
    const line = JSON.parse(text) as Record<string, unknown>
    if (line.stage === 'transcribe') {
      if (line.msg === 'attempt started') this.jobs.add(String(line.jobId))
      if (line.msg === 'attempt done' || line.msg === 'attempt ended') {
        this.jobs.delete(String(line.jobId))
      }
    }
    this.log.onLine(this.name, line)
  }
}
