import { availableParallelism } from 'node:os'
import { loadKvModel } from '../../config/data/model-file.js'
import type { Settings } from '../../config/schema.js'
import { NO_GAUGES } from '../../engines/engine-metrics.js'
import type { EngineFacts } from '../../engines/read-engine.js'

/**
 * Sessions at a time for each CPU core. With more the text of people who speak without a pause
 * would be late; with 18 `nightscribe sweep` still found every delta in time.
 */
const SESSIONS_PER_CORE = 12
/** KV blocks that the stand-in reports without a limit: more than its sessions can ever hold. */
const KV_BLOCKS_TOTAL = 32_769
const MAX_MODEL_LEN = 131_072
/** How much later, in ms, the stand-in answers than the audio allows, without much load. */
const DELTA_DELAY_MS = 12_000

/** Flags of the stand-in that `up` starts where the settings name no engine. */
export function standinFlags({
  engineKey,
  standin,
}: Pick<Settings, 'engineKey' | 'standin'>): string[] {
  const key = engineKey === null ? [] : ['--key', engineKey]
  const model = standin.modelPath === null ? [] : ['--speech-model', standin.modelPath]
  return ['--port', '0', '--exit-with-stdin', ...key, ...model]
}

/** The settings of a worker whose engine is the stand-in. */
export function withStandin(settings: Settings): Settings {
  const sessionsMax = settings.engine.sessionsMax ?? SESSIONS_PER_CORE * availableParallelism()
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
