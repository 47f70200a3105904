import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Folder of the checkout: the nearest one above this file with a package.json. The same folder from
 * `src` and from `dist`.
 */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** Path of a compiled program that is started as a process: `jobs/worker` or `gpu/standin/main`. */
export function programPath(name: string): string {
  return join(projectRoot(), 'dist', `${name}.js`)
}
