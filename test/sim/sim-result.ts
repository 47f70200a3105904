import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../../src/config/project-root.js'
import { isoTime, systemClock } from '../../src/kernel/clock.js'

/**
 * Keeps the figures of a scenario beside those of the others of the same day and commit.
 * @returns where
 */
export async function writeResult(scenario: string, figures: unknown): Promise<string> {
  const date = isoTime(systemClock().wallMs())
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
  const folder = join(projectRoot(), 'test', 'bench', 'results')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `sim-${date.slice(0, 10)}-${commit}.json`)
  const known = await readFile(path, 'utf8').catch(() => null)
  const report = {
    bench: 'sim',
    engine: 'simulated, no GPU',
    date,
    commit,
    machine: `${cpus()[0]?.model ?? '?'}, ${cpus().length} cores, Node ${process.version}`,
    scenarios: { ...(known === null ? {} : JSON.parse(known).scenarios), [scenario]: figures },
  }
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
  return path
}
