import { isAbsolute, join } from 'node:path'
import { readEnvironment } from '../config/environment.js'
import { loadSettings } from '../config/load-settings.js'
import type { Settings } from '../config/schema.js'
import { locationOf } from '../kernel/location.js'

/**
 * Reads the settings and resolves relative folders against the checkout: a command means the same
 * folders from every working directory.
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
    storage: locationOf(storage).kind === 'path' ? absolute(storage) : storage,
    stateDir: absolute(stateDir),
  }
  return { settings, sources: loaded.sources }
}
