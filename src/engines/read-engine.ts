import {
  type EngineCapacity,
  engineCapacity,
  requireContext,
} from '../admission/load/engine-capacity.js'
import { type GpuProfile, loadGpuProfile } from '../config/data/gpu-profile.js'
import { loadKvModel } from '../config/data/model-file.js'
import type { Settings } from '../config/schema.js'
import type { KvModel } from '../model/kv-model.js'
import type { EngineAddress, EngineDescription } from '../realtime/index.js'
import { type EngineGauges, readEngineGauges } from './engine-metrics.js'
import { describeEngine } from './engine-probe.js'

/** What an engine tells, and what the files in `config` say of its model and its GPU. */
export interface EngineFacts {
  readonly address: EngineAddress
  readonly description: EngineDescription
  readonly gauges: EngineGauges
  readonly kvModel: KvModel
  /** The profile that the setting `engine.gpu` names; null where it isn't set. */
  readonly gpu: GpuProfile | null
}

/** The settings that an engine is checked against. */
export type EngineSettings = Pick<Settings, 'engine' | 'engineKey' | 'admission' | 'legs'>

/**
 * Asks an engine for its model, its version and its figures, and loads the files that belong to it.
 *
 * @param options.root the project's folder, where `config/models` and `config/gpus` are
 * @throws UpstreamError, ConfigError: it isn't there, is no vLLM, serves another model, or is of a
 *   model or a GPU that no file describes; the signal's reason
 */
export async function readEngine(
  settings: EngineSettings,
  options: { url: string; root: string },
  { signal }: { signal: AbortSignal },
): Promise<EngineFacts> {
  const { model, connectTimeoutMs: timeoutMs, gpu } = settings.engine
  const address = { url: options.url, key: settings.engineKey }
  const description = await describeEngine(address, { model, timeoutMs }, { signal })
  const gauges = await readEngineGauges(address, { timeoutMs }, { signal })
  const { version } = description
  const { blockTokens } = gauges
  return {
    address,
    description,
    gauges,
    kvModel: loadKvModel({ cwd: options.root, model, version, blockTokens }),
    gpu: gpu === null ? null : loadGpuProfile({ cwd: options.root, name: gpu }),
  }
}

/**
 * Requires that legs can be placed on an engine.
 *
 * @returns how much of its KV cache is given out
 * @throws ConfigError naming engine and setting: its context is too small for the shortest leg, or
 *   neither engine nor GPU profile tells how many KV blocks it has
 */
export function requireUsable(settings: EngineSettings, facts: EngineFacts): EngineCapacity {
  const { maxModelLen } = facts.description
  requireContext(facts.address.url, { maxModelLen, floorMs: settings.legs.floorMs })
  return capacityOf(settings, facts)
}

/**
 * How much of an engine's KV cache is given out.
 * @throws ConfigError when neither the engine nor the GPU profile tells its size
 */
export function capacityOf(settings: EngineSettings, facts: EngineFacts): EngineCapacity {
  const { safetyFactor, liveShare } = settings.admission
  const { kvBlocksTotal } = facts.gauges
  const { gpu, address } = facts
  return engineCapacity({ engine: address.url, kvBlocksTotal, gpu, safetyFactor, liveShare })
}
