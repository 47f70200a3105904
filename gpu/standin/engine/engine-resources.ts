import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { versionAtLeast } from '../../../src/config/engine-version.js'
import { loadGpuProfile } from '../../../src/config/gpu-profile.js'
import { loadKvModel } from '../../../src/config/model-file.js'
import { ConfigError } from '../../../src/kernel/errors.js'
import { type KvModel, kvBlocksHeld } from '../../../src/model/kv-model.js'
import type { StepModel } from '../../../src/model/step-model.js'

/** The model that a stand-in says it serves, and whose sessions it counts. */
export const DEFAULT_MODEL_ID = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
/** vLLM's version that it imitates. */
export const DEFAULT_VERSION = '0.32.0'
/** KV blocks of an engine that nobody has limited: more than its sessions can ever hold. */
const KV_BLOCKS_UNLIMITED = 32_768

/** What is asked of a stand-in's resources; what is left out isn't limited. */
export interface ResourceOptions {
  /** vLLM's version: chooses how blocks are counted and what `max_model_len` does. */
  version?: string
  /** A profile of `config/gpus`: its blocks, and steps take time. */
  gpu?: string | null
  /** `num_gpu_blocks`, of which one holds no session; stronger than the profile's. */
  blocks?: number | null
  /** Tokens of an encoder block. */
  blockTokens?: number | null
}

/** What an engine has, as `EngineSettings` wants it. */
export interface EngineResources {
  version: string
  diesAtMaxModelLen: boolean
  kv: KvModel
  kvBlocksUsable: number
  stepModel: StepModel | null
}

/**
 * The resources of an engine, out of the data in `config/`.
 * @throws ConfigError for a GPU that isn't known, a version that can't be read, or blocks that
 *   can't hold the first step of one session
 */
export function engineResources(options: ResourceOptions = {}): EngineResources {
  const cwd = projectFolder()
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

/** vLLM's versions have three numbers: `0.32` is `0.32.0`. */
function wholeVersion(version: string): string {
  if (versionAtLeast(version, '0.0') === null) {
    throw new ConfigError(
      'config_invalid',
      `--vllm ${version} is not a version of vLLM; it must begin with two numbers, such as 0.32.`,
    )
  }
  return /^\d+\.\d+$/.test(version) ? `${version}.0` : version
}

/** The nearest folder above this file that holds package.json: from the sources and from `dist`. */
function projectFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
