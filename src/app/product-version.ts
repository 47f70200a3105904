import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../config/project-root.js'

/** Version of Nightscribe, read from package.json. */
export function productVersion(): string {
  const text = readFileSync(join(projectRoot(), 'package.json'), 'utf8')
  return String((JSON.parse(text) as { version?: unknown }).version)
}
