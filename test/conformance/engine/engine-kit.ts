import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { projectRoot } from '../../../src/config/project-root.js'

/**
 * The kit that starts a real engine: a folder with `serve.sh`, which takes `--port`, `--key` and
 * the options of `vllm serve`, and serves in the foreground.
 *
 * @returns null where NIGHTSCRIBE_ENGINE_KIT is unset or empty, or names no such folder
 */
export function engineKit(): string | null {
  const named = process.env.NIGHTSCRIBE_ENGINE_KIT
  if (!named) return null
  const folder = resolve(projectRoot(), named)
  return existsSync(join(folder, 'serve.sh')) ? folder : null
}

/** The same, where there must be one: in a part of the suite that was chosen to run. */
export function requireEngineKit(): string {
  const kit = engineKit()
  if (kit === null) throw new Error('Set NIGHTSCRIBE_ENGINE_KIT to run what starts an engine.')
  return kit
}
