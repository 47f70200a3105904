import { loadGpuProfile } from '../../config/data/gpu-profile.js'
import { loadKvModel } from '../../config/data/model-file.js'
import { withoutCredentials } from '../../config/redact.js'
import { type EngineGauges, NO_GAUGES, readEngineGauges } from '../../engines/engine-metrics.js'
import { describeEngine } from '../../engines/engine-probe.js'
import { ConfigError, InputError, reasonOf, UpstreamError } from '../../kernel/errors.js'
import type { KvModel } from '../../model/kv-model.js'
import { STEP_MS } from '../../model/pcm.js'
import { promptTokens, tailSteps } from '../../model/step-law.js'
import type { SweptEngine } from '../../planning/sweep/report.js'
import type { EngineAddress } from '../../realtime/index.js'
import type { CommandContext } from '../command-context.js'
import { STAGGER_MS } from './step-ports.js'

/**
 * How long, in ms, the engine may take to report its gauges; later ones are a gap in the series.
 */
const GAUGES_MS_MAX = 2_000

/** The engine of a sweep, as found before the first step. */
export interface FoundEngine {
  address: EngineAddress
  engine: SweptEngine
  readGauges(options: { signal: AbortSignal }): Promise<EngineGauges>
  /** Sentences on what isn't as it should be. */
  notes: string[]
}

/**
 * The address of the engine to sweep: the option's, or the only one in the settings.
 * @throws ConfigError when there is none, or several
 */
export function sweptAddress(
  { settings }: Pick<CommandContext, 'settings'>,
  option: string | null,
): EngineAddress {
  const [first, ...others] = settings.engines
  const url = option ?? first
  if (url === undefined) {
    throw new ConfigError(
      'config_invalid',
      'There is no engine to sweep; give --engine ws://gpu-node:8000/v1/realtime or set NIGHTSCRIBE_ENGINES. (`nightscribe standin` starts one to try.)',
    )
  }
  if (option === null && others.length > 0) {
    throw new ConfigError(
      'config_invalid',
      `NIGHTSCRIBE_ENGINES names ${others.length + 1} engines; choose one with --engine.`,
    )
  }
  return { url, key: settings.engineKey }
}

/**
 * Reads what can be known of an engine before a sweep.
 * @throws what `describeEngine` throws; ConfigError for an unknown setting `engine.gpu`
 */
export async function findEngine(
  { settings, root }: CommandContext,
  address: EngineAddress,
  { signal }: { signal: AbortSignal },
): Promise<FoundEngine> {
  const { model, connectTimeoutMs, deltaDelayMs, gpu, pricePerHour } = settings.engine
  const wanted = { model, timeoutMs: connectTimeoutMs }
  const described = await describeEngine(address, wanted, { signal })
  const readGauges = (options: { signal: AbortSignal }) =>
    readEngineGauges(address, { timeoutMs: GAUGES_MS_MAX }, options)
  const notes: string[] = []
  const gauges = await gaugesAtFirst(readGauges, notes, signal)
  const profile = gpu === null ? null : loadGpuProfile({ cwd: root, name: gpu })
  const engine: SweptEngine = {
    url: withoutCredentials(address.url),
    model: described.model,
    version: described.version,
    isStandin: described.isStandin,
    maxModelLen: described.maxModelLen,
    deltaDelayMs: deltaDelayMs + described.deltaDelayMs,
    gpu,
    pricePerHour: pricePerHour ?? profile?.pricePerHour ?? null,
    kvBlocksMax: usableBlocks(gauges, notes) ?? profile?.kvBlocks ?? null,
    kvModel: kvModelOf(root, described, gauges.blockTokens, notes),
  }
  if (engine.kvBlocksMax === null) {
    notes.push(
      'Neither engine nor settings say how many KV blocks there are; set engine.gpu (NIGHTSCRIBE_ENGINE_GPU).',
    )
  }
  return { address, engine, readGauges, notes }
}

async function gaugesAtFirst(
  read: FoundEngine['readGauges'],
  notes: string[],
  signal: AbortSignal,
): Promise<EngineGauges> {
  try {
    const gauges = await read({ signal })
    if (gauges === NO_GAUGES)
      notes.push('The engine has no /metrics: nothing is measured inside it.')
    return gauges
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    notes.push(`The engine's /metrics can't be read: ${reasonOf(error)}`)
    return NO_GAUGES
  }
}

/**
 * KV blocks for sessions: all less one per core, which vLLM keeps. With several cores this is their
 * sum, although one core may be full before the others.
 */
function usableBlocks({ kvBlocksTotal, cores }: EngineGauges, notes: string[]): number | null {
  if (kvBlocksTotal === null) return null
  if (cores > 1) {
    notes.push(
      `The engine has ${cores} cores with a KV cache each; blocks are their sum, though one of them may be full before.`,
    )
  }
  return (kvBlocksTotal - 1) * Math.max(1, cores)
}

function kvModelOf(
  root: string,
  { model, version }: { model: string; version: string | null },
  blockTokens: number | null,
  notes: string[],
): KvModel | null {
  try {
    return loadKvModel({ cwd: root, model, version, blockTokens })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    notes.push(`No KV blocks are predicted: ${reasonOf(error)}`)
    return null
  }
}

/**
 * Refuses steps whose sessions would reach the engine's `max_model_len`: up to vLLM 0.31 that ends
 * the whole engine.
 * @throws InputError naming the seconds and the limit
 */
export function requireContextFor(engine: SweptEngine, load: { seconds: number; pace: number }) {
  const { maxModelLen } = engine
  if (maxModelLen === null) return
  const framesMax = maxModelLen - promptTokens() - tailSteps()
  const secondsMax = Math.floor((framesMax * STEP_MS) / load.pace / 1000 - STAGGER_MS / 1000)
  if (load.seconds <= secondsMax) return
  throw new InputError(
    'input_unsupported',
    `--seconds ${load.seconds} at pace ${load.pace} doesn't fit into the engine's max_model_len of ${maxModelLen} tokens; at most ${Math.max(0, secondsMax)} s do.`,
  )
}
