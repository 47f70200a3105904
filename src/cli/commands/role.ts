import { spawn } from 'node:child_process'
import { EXIT } from '../../app/exit-code.js'
import { childEnvironment } from '../../config/environment.js'
import { programPath } from '../../config/project-root.js'
import type { CommandContext } from '../command-context.js'

/**
 * Runs one of our programs in place of this command: same terminal, same signals, same exit code.
 */
export async function runRole(
  context: CommandContext,
  program: string,
  args: readonly string[],
): Promise<number> {
  const child = spawn(process.execPath, [programPath(program), ...args], {
    stdio: 'inherit',
    detached: true, // else Ctrl+C reached it directly and through the lines below
    env: { ...childEnvironment(), ...context.configEnv },
  })
  context.stop.drain.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  context.stop.abort.addEventListener('abort', () => child.kill('SIGINT'), { once: true })
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? (signal ? EXIT.stopped : EXIT.bug)))
  })
}
