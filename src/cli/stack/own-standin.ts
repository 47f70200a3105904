import { loadKvModel } from '../../config/model-file.js'
import type { Settings } from '../../config/schema.js'
import { NO_GAUGES } from '../../engines/engine-metrics.js'
import type { EngineFacts } from '../../engines/read-engine.js'

/** Sessions at a time: the stand-in recognizes on the CPU, and with more its text would be late. */
const SESSIONS_MAX = 4
/** KV blocks that the stand-in reports without a limit: more than its sessions can ever hold. */
const KV_BLOCKS_TOTAL = 32_769
const MAX_MODEL_LEN = 131_072
/** How much later, in ms, PocketSphinx answers than the audio allows. */
const DELTA_DELAY_MS = 8_000

/** Flags of the stand-in that `up` starts where the settings name no engine. */
export function standinFlags({ engineKey }: Pick<Settings, 'engineKey'>): string[] {
  const key = engineKey === null ? [] : ['--key', engineKey]
  return ['--port', '0', '--recognizer', 'pocketsphinx', '--exit-with-stdin', ...key]
}

/** The settings of a worker whose engine is the stand-in. */
export function withStandin(settings: Settings): Settings {
  const sessionsMax = settings.engine.sessionsMax ?? SESSIONS_MAX
  return { ...settings, engine: { ...settings.engine, sessionsMax } }
}

/**
 * What the stand-in that `up` starts reports about itself; it need not run for this.
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
