import { loadKvModel } from '../../config/model-file.js'
import type { Settings } from '../../config/schema.js'
import { NO_GAUGES } from '../../engines/engine-metrics.js'
import type { EngineFacts } from '../../engines/read-engine.js'

/** It recognizes on the CPU: more at a time would be late. */
const SESSIONS_MAX = 4
/** Blocks as it tells them where nobody limits it: more than its sessions can ever hold. */
const KV_BLOCKS_TOTAL = 32_769
const MAX_MODEL_LEN = 131_072
/** By how much PocketSphinx answers later than the audio allows. */
const DELTA_DELAY_MS = 8_000

/** Flags of the stand-in that `up` starts where no engine is named. */
export function standinFlags({ engineKey }: Pick<Settings, 'engineKey'>): string[] {
  const key = engineKey === null ? [] : ['--key', engineKey]
  return ['--port', '0', '--recognizer', 'pocketsphinx', '--exit-with-stdin', ...key]
}

/** The settings of a worker that has the stand-in for its engine. */
export function withStandin(settings: Settings): Settings {
  const sessionsMax = settings.engine.sessionsMax ?? SESSIONS_MAX
  return { ...settings, engine: { ...settings.engine, sessionsMax } }
}

/**
 * What the stand-in that `up` starts tells of itself, whether or not it runs.
 * @param options.root the project's folder
 */
export function standinFacts(settings: Settings, { root }: { root: string }): EngineFacts {
  const { model } = settings.engine
  return {
    address: { url: 'the stand-in', key: null },
    description: {
      ...{ model, version: null, isStandin: true },
      maxModelLen: MAX_MODEL_LEN,
      deltaDelayMs: DELTA_DELAY_MS,
    },
    gauges: { ...NO_GAUGES, kvBlocksTotal: KV_BLOCKS_TOTAL },
    kvModel: loadKvModel({ cwd: root, model, version: null, blockTokens: null }),
    gpu: null,
  }
}
