import { loadGpuProfile } from '../../../src/config/data/gpu-profile.js'
import { loadKvModel } from '../../../src/config/data/model-file.js'
import { versionAtLeast } from '../../../src/config/engine-version.js'
import { projectRoot } from '../../../src/config/project-root.js'
import { ConfigError } from '../../../src/kernel/errors.js'
import { type KvModel, kvBlocksHeld } from '../../../src/model/kv-model.js'
import type { StepModel } from '../../../src/model/step-model.js'

/** Default model id; also the model by which sessions' KV blocks are counted. */
export const DEFAULT_MODEL_ID = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
/** Default version of vLLM that is imitated. */
export const DEFAULT_VERSION = '0.32.0'
/** KV blocks of an engine without a limit: more than its sessions can ever hold. */
const KV_BLOCKS_UNLIMITED = 32_768

/** The resources that a stand-in is to have; options left out don't limit it. */
export interface ResourceOptions {
  /** Version of vLLM: decides how blocks are counted and what happens at `max_model_len`. */
  version?: string
  /** A profile of `config/gpus`: sets the number of blocks, and makes steps take time. */
  gpu?: string | null
  /** `num_gpu_blocks`, of which one holds no session. Overrides the profile's number. */
  blocks?: number | null
  /** Tokens of an encoder block. */
  blockTokens?: number | null
}

/** The resources of an engine, in the form of `EngineSettings`. */
export interface EngineResources {
  version: string
  diesAtMaxModelLen: boolean
  kv: KvModel
  kvBlocksUsable: number
  stepModel: StepModel | null
}

/**
 * Finds the resources of an engine in the data of `config/`.
 * @throws ConfigError for an unknown GPU, an unreadable version, or too few blocks for the first
 * step of one session
 */
export function engineResources(options: ResourceOptions = {}): EngineResources {
  const cwd = projectRoot()
  const version = wholeVersion(options.version ?? DEFAULT_VERSION)
  const blockTokens = options.blockTokens ?? null
  const kv = loadKvModel({ cwd, model: DEFAULT_MODEL_ID, version, blockTokens })
  const profile = options.gpu ? loadGpuProfile({ cwd, name: options.gpu }) : null
  const kvBlocksUsable =
    options.blocks == null ? (profile?.kvBlocks ?? KV_BLOCKS_UNLIMITED) : options.blocks - 1
  const kvBlocksMin = kvBlocksHeld(kv, 1)
  if (kvBlocksUsable < kvBlocksMin) {
    throw new ConfigError(
      'config_invalid',
      `--blocks ${kvBlocksUsable + 1} can't hold the first step of a session; it needs ${kvBlocksMin + 1} or more.`,
    )
  }
  const diesAtMaxModelLen = versionAtLeast(version, '0.32') === false
  return { version, diesAtMaxModelLen, kv, kvBlocksUsable, stepModel: profile?.stepModel ?? null }
}

/** Completes a version to three numbers as vLLM's have: `0.32` becomes `0.32.0`. */
function wholeVersion(version: string): string {
  if (versionAtLeast(version, '0.0') === null) {
    throw new ConfigError(
      'config_invalid',
      `--vllm ${version} is not a version of vLLM; it must begin with two numbers, such as 0.32.`,
    )
  }
  return /^\d+\.\d+$/.test(version) ? `${version}.0` : version
}
