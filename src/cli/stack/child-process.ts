import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { EXIT } from '../../app/exit-code.js'
import { FAILED_EVENT } from '../../app/failed-line.js'
import { orAbort } from '../../kernel/abort.js'
import { ConfigError, type ErrorCode, InputError, UpstreamError } from '../../kernel/errors.js'

/** Last lines of a child's stderr that are kept, to say why it died. */
const STDERR_LINES_MAX = 20

/** How long, in ms, a child may take to end by itself before it is killed. */
const KILL_AFTER_MS = 10_000

/** A program of ours that runs beside this one and ends with it. */
export interface RunningChild extends AsyncDisposable {
  readonly pid: number
  /** The JSON line that the child printed when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>
  /** Resolves when the child has ended, with its exit code or signal. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Asks the child to finish its work and end. */
  drain(): void
  /** Asks the child to end at once, with everything left consistent. */
  abort(): void
}

/** The program that `startChild` starts, and how its readiness is told. */
export interface ChildOptions {
  /** Name used in sentences: `worker`. */
  name: string
  program: string
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** Value of `event` in the JSON line on stdout by which the child says that it is ready. */
  readyEvent: string
  /** Called with every line of the child's stderr. */
  onLog(line: string): void
  signal: AbortSignal
}

/**
 * Starts a Node program of ours and waits until it says that it is ready. Its stdin is a pipe that
 * closes when this process ends, even by a kill: the child then ends too, so that none is left
 * over.
 *
 * @throws UpstreamError with the child's last line when it ends before it is ready
 */
export async function startChild(options: ChildOptions): Promise<RunningChild> {
  options.signal.throwIfAborted()
  const child = spawn(process.execPath, [options.program, ...options.args], {
    env: options.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // Ctrl+C reaches this process alone, which passes it on as drain or abort
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
  died.catch(() => {}) // unused once it is ready: not an unhandled rejection
  try {
    const ready = await orAbort(Promise.race([readyLine(child, options), died]), options.signal)
    return running(child, exited, ready)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** The child's first JSON line on stdout: that it is ready, or why it can't start. */
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

/**
 * An error of the class that the child's exit code stands for, so that this process ends with the
 * same code.
 */
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
      // Sent as two different signals, since any second signal means "now", and two equal ones in a
      // row would merge into one.
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
