import { nearestName } from './nearest-name.js'
import { environmentPrefix, settingCatalogue } from './setting-catalogue.js'
import type { SourceReading } from './setting-source.js'
import { valueOfText } from './setting-text.js'

/** Variables of the process or of a `.env` file. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A copy of the process's environment. The only place that reads `process.env`. */
export function readEnvironment(): Environment {
  return { ...process.env }
}

/**
 * The environment in which our worker and stand-in processes are started. Audio is kept in buffers
 * of 64,000 bytes. glibc must return each to the system when it is freed (so the mmap threshold
 * lies below that size), or a worker of 100 sessions would grow by a third in half an hour. Other
 * allocators ignore these variables; values that are already set win.
 */
export function childEnvironment(): Environment {
  return {
    ...{ MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '32768' },
    ...readEnvironment(),
  }
}

/** Variable that chooses `config/<name>.yaml`; not a setting itself. */
export const configNameVariable = 'NIGHTSCRIBE_CONFIG'

/**
 * Variables with our prefix that aren't settings: those of the tests, and the path of the engine
 * kit.
 */
const notSettings = /^NIGHTSCRIBE_(TEST_.+|CONFIG|ENGINE_KIT)$/

/**
 * Picks the settings out of environment variables. An empty variable counts as not set, since
 * Compose files and shells pass empty ones on. An unknown `NIGHTSCRIBE_` name is a problem.
 *
 * @param describe names a variable for people: `environment NIGHTSCRIBE_STORAGE`
 */
export function settingsInEnvironment(
  environment: Environment,
  describe: (name: string) => string,
): SourceReading {
  const byName = new Map(settingCatalogue.map((setting) => [setting.environmentName, setting]))
  const reading: SourceReading = { given: [], problems: [] }
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(environmentPrefix) || text === undefined || text.trim() === '') continue
    const setting = byName.get(name)
    const source = describe(name)
    if (setting !== undefined) {
      reading.given.push({ path: setting.path, value: valueOfText(setting, text), source })
    } else if (!notSettings.test(name)) {
      const nearest = nearestName(name, [...byName.keys(), configNameVariable])
      const hint = nearest === null ? 'config/default.yaml lists all settings' : `is it ${nearest}?`
      reading.problems.push({ source, sentence: `there is no such setting; ${hint}` })
    }
  }
  return reading
}
