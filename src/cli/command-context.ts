import { projectRoot } from '../app/project-root.js'
import { readSettings } from '../app/read-settings.js'
import type { StopSignals } from '../app/stop-signals.js'
import { configNameVariable } from '../config/environment.js'
import type { Settings } from '../config/schema.js'
import { type Clock, systemClock } from '../kernel/clock.js'
import { type Random, systemRandom } from '../kernel/random.js'
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
