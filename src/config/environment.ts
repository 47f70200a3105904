import { nearestName } from './nearest-name.js'
import { environmentPrefix, settingCatalogue } from './setting-catalogue.js'
import type { SourceReading } from './setting-source.js'
import { valueOfText } from './setting-text.js'

/** Variables, as the process or a `.env` file has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The process's environment at this moment, as a copy. The only place that reads it. */
export function readEnvironment(): Environment {
  return { ...process.env }
}

/**
 * What a process of ours is started with. Audio comes and goes in buffers of 64,000 bytes: glibc
 * shall give each back when it is freed (so the threshold must lie below them), and not keep what
 * lies between them, or a worker of a hundred sessions grows by a third in half an hour. Other
 * allocators ignore these; what is set stands.
 */
export function childEnvironment(): Environment {
  return {
    ...{ MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '32768' },
    ...readEnvironment(),
  }
}

/** Chooses `config/<name>.yaml`; not a setting itself. */
export const configNameVariable = 'NIGHTSCRIBE_CONFIG'

/** Variables of ours that aren't settings: the tests' own, and where the engine kit lies. */
const notSettings = /^NIGHTSCRIBE_(TEST_.+|CONFIG|ENGINE_KIT)$/

/**
 * The settings among variables. An empty variable counts as not set (Compose files and shells pass
 * those on without meaning anything); a variable of ours that no setting has is a problem.
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
