import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * Path of a worker thread's script, which lies beside its module in the sources only: a worker
 * can't be started from TypeScript on Node 20, and the compiler doesn't copy `.mjs` to `dist`.
 * @param name such as `./vad-worker.mjs`
 * @param moduleUrl `import.meta.url` of the module beside it, in the sources or in `dist`
 */
export function workerScript(name: string, moduleUrl: string): string {
  const beside = fileURLToPath(new URL(name, moduleUrl))
  if (existsSync(beside)) return beside
  const at = beside.lastIndexOf('/dist/')
  return `${beside.slice(0, at)}/${beside.slice(at + '/dist/'.length)}`
}
