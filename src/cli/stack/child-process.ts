import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { EXIT } from '../../app/exit-code.js'
import { FAILED_EVENT } from '../../app/failed-line.js'
import { orAbort } from '../../kernel/abort.js'
import { ConfigError, type ErrorCode, InputError, UpstreamError } from '../../kernel/errors.js'

/** Lines of a child's stderr that are kept to say why it died. */
const STDERR_LINES_MAX = 20

/** Time that a child has to end by itself once nobody needs it. */
const KILL_AFTER_MS = 10_000

/** A program of ours that runs beside this one and ends with it. */
export interface RunningChild extends AsyncDisposable {
  readonly pid: number
  /** What it said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>
  /** Resolves when it is gone, with how. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Asks it to finish what it does and end. */
  drain(): void
  /** Asks it to end at once, leaving everything consistent. */
  abort(): void
}

/** What to start. */
export interface ChildOptions {
  /** For sentences: `worker`. */
  name: string
  program: string
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** Value of `event` in the JSON line on stdout that says it is ready. */
  readyEvent: string
  /** Gets every line of its stderr. */
  onLog(line: string): void
  signal: AbortSignal
}

/**
 * Starts a Node program of ours and waits until it says that it is ready. Its stdin is a pipe that
 * stays open while we live: the child ends when it closes, even if we are killed.
 *
 * @throws UpstreamError with the child's own last words when it ends before it is ready
 */
export async function startChild(options: ChildOptions): Promise<RunningChild> {
  options.signal.throwIfAborted()
  const child = spawn(process.execPath, [options.program, ...options.args], {
    env: options.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // Ctrl+C reaches us alone; we pass on what we mean by it
  })
  const lastLines: string[] = []
  const exited = new Promise<Awaited<RunningChild['exited']>>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastLines.push(line)
    if (lastLines.length > STDERR_LINES_MAX) lastLines.shift()
    options.onLog(line)
  })
  const died = exited.then(({ code }) => {
    const why = lastLines.at(-1) ?? `exit code ${code}`
    throw startFailure(code, 'internal', `The ${options.name} did not start: ${why}`)
  })
  died.catch(() => {}) // only of interest until it is ready
  try {
    const ready = await orAbort(Promise.race([readyLine(child, options), died]), options.signal)
    return running(child, exited, ready)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** What a child says on stdout: that it is ready, or why it can't be. */
function readyLine(child: ChildProcess, options: ChildOptions): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      if (!line.startsWith('{')) return
      const said = JSON.parse(line) as Record<string, unknown>
      if (said.event === options.readyEvent) resolve(said)
      if (said.event !== FAILED_EVENT) return
      const { exit_code: exitCode, code, message } = said
      reject(startFailure(Number(exitCode), code as ErrorCode, String(message)))
    })
  })
}

/** The class that the child's exit code stands for, so that ours is the same. */
function startFailure(exitCode: number | null, code: ErrorCode, message: string): Error {
  if (exitCode === EXIT.config) return new ConfigError(code, message)
  if (exitCode === EXIT.input) return new InputError(code, message)
  return new UpstreamError(code, message)
}

function running(
  child: ChildProcess,
  exited: RunningChild['exited'],
  ready: Readonly<Record<string, unknown>>,
): RunningChild {
  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    drain: () => void child.kill('SIGTERM'),
    abort: () => {
      // Any second signal means "now"; two equal ones in a row would merge into one.
      child.kill('SIGTERM')
      child.kill('SIGINT')
    },
    async [Symbol.asyncDispose]() {
      child.stdin?.end()
      child.kill('SIGTERM')
      await orAbort(exited, AbortSignal.timeout(KILL_AFTER_MS)).catch(() => child.kill('SIGKILL'))
      await exited
    },
  }
}
