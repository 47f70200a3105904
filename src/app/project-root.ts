import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The folder of the checkout: the nearest above this file that holds package.json. The same from
 * the sources and from `dist`.
 */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** A compiled program of ours that is started as a process: `jobs/worker`, `gpu/standin/main`. */
export function programPath(name: string): string {
  return join(projectRoot(), 'dist', `${name}.js`)
}
