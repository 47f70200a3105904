import { isAbsolute, join } from 'node:path'
import { configNameVariable, readEnvironment } from '../config/environment.js'
import { loadSettings } from '../config/load-settings.js'
import type { Settings } from '../config/schema.js'
import { type Clock, systemClock } from '../kernel/clock.js'
import { type Random, systemRandom } from '../kernel/random.js'
import { projectRoot } from './project-root.js'
import type { StopSignals } from './stop-signals.js'
import { processTerminal, type Terminal } from './terminal.js'

/** What every command is given. */
export interface CommandContext {
  settings: Settings
  /** By dotted path: where each setting's value stands. */
  sources: ReadonlyMap<string, string>
  root: string
  /** Chooses `config/<name>.yaml`; programs that we start get it, too. */
  configEnv: Readonly<Record<string, string>>
  /** Relative file arguments start here. */
  cwd: string
  clock: Clock
  random: Random
  terminal: Terminal
  stop: StopSignals
}

/** Runs a command's body in its context and sets the exit code. */
export type RunCommand = (body: (context: CommandContext) => Promise<number>) => Promise<void>

/** Options of the program itself, before the command. */
export interface GlobalOptions {
  config?: string
  verbose?: boolean
}

/** @throws ConfigError listing everything that is wrong with the settings */
export function commandContext(stop: StopSignals, options: GlobalOptions): CommandContext {
  const root = projectRoot()
  const { settings, sources } = readSettings(root, options.config)
  return {
    settings,
    sources,
    root,
    configEnv: options.config === undefined ? {} : { [configNameVariable]: options.config },
    cwd: process.cwd(),
    clock: systemClock(),
    random: systemRandom(),
    terminal: processTerminal(),
    stop,
  }
}

/**
 * Settings with folders resolved against the checkout, so that every command means the same ones.
 */
export function readSettings(
  root: string,
  configName: string | undefined,
): { settings: Settings; sources: ReadonlyMap<string, string> } {
  const loaded = loadSettings({ cwd: root, env: readEnvironment(), configName })
  const absolute = (path: string) => (isAbsolute(path) ? path : join(root, path))
  const { storage, stateDir } = loaded.settings
  const settings = {
    ...loaded.settings,
    storage: storage.startsWith('s3://') ? storage : absolute(storage),
    stateDir: absolute(stateDir),
  }
  return { settings, sources: loaded.sources }
}
