import { readSettings } from '../app/read-settings.js'
import type { StopSignals } from '../app/stop-signals.js'
import { configNameVariable } from '../config/environment.js'
import { projectRoot } from '../config/project-root.js'
import type { Settings } from '../config/schema.js'
import { type Clock, systemClock } from '../kernel/clock.js'
import { type Random, systemRandom } from '../kernel/random.js'
import { processTerminal, type Terminal } from './terminal.js'

/** Settings, clock, terminal and stop signals, which every command receives. */
export interface CommandContext {
  settings: Settings
  /** By dotted path: the source of each setting's value. */
  sources: ReadonlyMap<string, string>
  root: string
  /** The variable that chooses `config/<name>.yaml`; programs that we start receive it, too. */
  configEnv: Readonly<Record<string, string>>
  /** Folder against which relative file arguments are resolved. */
  cwd: string
  clock: Clock
  random: Random
  terminal: Terminal
  stop: StopSignals
}

/** Runs a command's body in its context and sets the exit code. */
export type RunCommand = (body: (context: CommandContext) => Promise<number>) => Promise<void>

/** Options before the name of the command. */
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
