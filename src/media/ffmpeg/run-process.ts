import { spawn } from 'node:child_process'

/** How a process ended, and what it printed, up to `outputBytesMax` bytes per stream. */
export interface ProcessOutcome {
  /** Exit code of the process; null when a signal ended it. */
  exitCode: number | null
  stdout: string
  stderr: string
}

/**
 * Runs a short process to its end, without a shell, and keeps the beginning of its output. An abort
 * kills it with SIGKILL; it has been reaped when this settles.
 *
 * @throws the spawn error (ENOENT, EACCES and so on); the signal's reason
 */
export async function runProcess(
  path: string,
  args: readonly string[],
  { signal, outputBytesMax }: { signal: AbortSignal; outputBytesMax: number },
): Promise<ProcessOutcome> {
  signal.throwIfAborted()
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  const stdout = capped(outputBytesMax)
  const stderr = capped(outputBytesMax)
  child.stdout.on('data', stdout.add)
  child.stderr.on('data', stderr.add)
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    signal.throwIfAborted()
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() }
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

function capped(bytesMax: number): { add: (chunk: Buffer) => void; text: () => string } {
  const chunks: Buffer[] = []
  let bytesLeft = bytesMax
  return {
    add: (chunk) => {
      if (bytesLeft > 0) chunks.push(chunk.subarray(0, bytesLeft))
      bytesLeft -= chunk.length
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  }
}
