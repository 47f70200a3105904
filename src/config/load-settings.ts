import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigError } from '../kernel/errors.js'
import { settingsInYaml } from './config-file.js'
import { configNameVariable, type Environment, settingsInEnvironment } from './environment.js'
import { nearestName } from './nearest-name.js'
import { showSetting } from './redact.js'
import { type Settings, settingsSchema } from './schema.js'
import { settingCatalogue } from './setting-catalogue.js'
import { issueSentence } from './setting-issue.js'
import { brokenRules } from './setting-rules.js'
import type { GivenValue, SettingProblem, SourceReading } from './setting-source.js'
import { valueOfText } from './setting-text.js'

/** Where settings come from. */
export interface SettingsOrigin {
  /** The project's folder, which holds `.env` and `config/`. */
  cwd: string
  env: Environment
  /** Settings of the command line, by dotted path; texts are parsed as in the environment. */
  flags?: Readonly<Record<string, unknown>>
  /**
   * Chooses `config/<name>.yaml`. Without it NIGHTSCRIBE_CONFIG does, and without that `default`.
   */
  configName?: string | undefined
}

/** Settings, and the source of each value. */
export interface LoadedSettings {
  settings: Settings
  /**
   * By dotted path: `command line`, `environment NIGHTSCRIBE_…`, `.env: NIGHTSCRIBE_…`,
   * `config/<name>.yaml: …` or `default`.
   */
  sources: ReadonlyMap<string, string>
}

/**
 * Reads all sources and picks, setting by setting, the strongest: command line, environment,
 * `.env`, `config/<name>.yaml`, defaults. Relative paths are returned as given.
 *
 * @throws ConfigError `config_invalid` listing every problem of every source at once; its message
 * contains no key and no password
 */
export function loadSettings(origin: SettingsOrigin): LoadedSettings {
  const dotenv = readDotenv(origin.cwd)
  const configName =
    origin.configName ?? (origin.env[configNameVariable] || dotenv[configNameVariable]) ?? ''
  const readings = [
    readConfigFile(origin.cwd, configName || 'default'),
    settingsInEnvironment(dotenv, (name) => `.env: ${name}`),
    settingsInEnvironment(origin.env, (name) => `environment ${name}`),
    settingsInFlags(origin.flags ?? {}),
  ]
  const winning = new Map<string, GivenValue>()
  for (const { given } of readings) for (const value of given) winning.set(value.path, value)
  const problems = readings.flatMap((reading) => reading.problems)
  const settings = check(winning, problems)
  const sources = settingCatalogue.map(
    ({ path }) => [path, winning.get(path)?.source ?? 'default'] as const,
  )
  return { settings: deepFreeze(settings), sources: new Map(sources) }
}

/** @throws ConfigError with the problems given and those found here */
function check(winning: ReadonlyMap<string, GivenValue>, problems: SettingProblem[]): Settings {
  const parsed = settingsSchema.safeParse(nested([...winning.values()]))
  if (parsed.success) {
    for (const { path, sentence } of brokenRules(parsed.data)) {
      problems.push({ source: winning.get(path)?.source ?? `setting ${path}`, sentence })
    }
  } else {
    for (const issue of parsed.error.issues) {
      const path = settingOfIssue(issue.path)
      const given = winning.get(path)
      const shown = showSetting(path, given?.value)
      const sentence = `${issueSentence(issue)}, and is ${shown}`
      problems.push({ source: given?.source ?? `setting ${path}`, sentence })
    }
  }
  if (parsed.success && problems.length === 0) return parsed.data
  const lines = problems.map(({ source, sentence }) => `  ${source}: ${sentence}`)
  const count =
    problems.length === 1 ? 'a setting is wrong' : `${problems.length} settings are wrong`
  throw new ConfigError('config_invalid', `${count}, please correct:\n${lines.join('\n')}`, {
    facts: { problems: problems.length },
  })
}

function readDotenv(folder: string): Environment {
  const path = join(folder, '.env')
  // The cast is safe: a variable that isn't in the file is absent, never undefined.
  return existsSync(path) ? (parseEnv(readFileSync(path, 'utf8')) as Environment) : {}
}

function readConfigFile(folder: string, name: string): SourceReading {
  const fileName = `config/${name}.yaml`
  const isPlain = /^[a-z0-9][a-z0-9._-]*$/i.test(name)
  const path = join(folder, fileName)
  if (isPlain && existsSync(path)) return settingsInYaml(readFileSync(path, 'utf8'), fileName)
  if (name === 'default') return { given: [], problems: [] }
  const configFolder = join(folder, 'config')
  const files = existsSync(configFolder) ? readdirSync(configFolder) : []
  const names = files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5))
  const sentence = `doesn't exist; there are: ${names.sort().join(', ') || 'none'}`
  return { given: [], problems: [{ source: fileName, sentence }] }
}

function settingsInFlags(flags: Readonly<Record<string, unknown>>): SourceReading {
  const reading: SourceReading = { given: [], problems: [] }
  const paths = settingCatalogue.map((setting) => setting.path)
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue
    const setting = settingCatalogue.find((candidate) => candidate.path === path)
    const source = `command line: ${path}`
    if (setting === undefined) {
      const nearest = nearestName(path, paths)
      const hint = nearest === null ? '' : `; is it ${nearest}?`
      reading.problems.push({ source, sentence: `there is no such setting${hint}` })
    } else {
      const given = typeof value === 'string' ? valueOfText(setting, value) : value
      reading.given.push({ path, value: given, source })
    }
  }
  return reading
}

/** The setting that a schema issue belongs to; an issue of a list's item belongs to the list. */
function settingOfIssue(path: readonly PropertyKey[]): string {
  const dotted = path.join('.')
  const owner = settingCatalogue.find(
    (setting) => dotted === setting.path || dotted.startsWith(`${setting.path}.`),
  )
  return owner?.path ?? dotted
}

function nested(values: readonly GivenValue[]): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const { path, value } of values) {
    const keys = path.split('.')
    const last = keys.pop() ?? path
    let node = root
    for (const key of keys) {
      node[key] ??= {}
      node = node[key] as Record<string, unknown>
    }
    node[last] = value
  }
  return root
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child)
    Object.freeze(value)
  }
  return value
}
