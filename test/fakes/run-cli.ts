import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { readEnvironment } from '../../src/config/environment.js'
import { projectRoot } from '../../src/config/project-root.js'

/** How a command ended, and what it said. */
export interface CliRun {
  code: number | null
  out: string
  err: string
}

/** Runs `nightscribe …` as a user would, without a terminal. */
export async function runCli(
  args: readonly string[],
  options: {
    env?: Readonly<Record<string, string>>
    cwd?: string
    /** Whose reader is gone before anything is written there. */
    unread?: 'stdout' | 'stderr'
    /** What is piped in; absent: nothing, at once. */
    stdin?: Uint8Array
    /** Gets the process, to send it a signal for example. */
    onStart?: (kill: (signal: NodeJS.Signals) => void) => void
  } = {},
): Promise<CliRun> {
  const bin = join(projectRoot(), 'src', 'cli', 'nightscribe.mjs')
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd ?? projectRoot(),
    env: { ...readEnvironment(), ...options.env },
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(options.stdin)
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  if (options.unread) child[options.unread]?.destroy()
  options.onStart?.((signal) => child.kill(signal))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out, err }
}
