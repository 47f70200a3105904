import { z } from 'zod'
import { ConfigError } from '../../kernel/errors.js'
import { nearestName } from '../nearest-name.js'
import { dataFileNames, readDataFile } from './data-file.js'

const ms = z.number().min(0).max(10_000)

const profileFile = z.strictObject({
  memoryGib: z.number().min(1),
  kvBlocks: z.int().min(1),
  step: z.strictObject({ baseMs: ms, perSessionMs: ms, perFrameMs: ms }),
  pricePerHour: z.number().min(0).nullable(),
})

/** KV blocks, step times and price of an engine on one kind of GPU. */
export interface GpuProfile {
  /** Name of the profile's file without `.yaml`: `l40s`. */
  readonly name: string
  readonly memoryGib: number
  /** Usable KV blocks: `num_gpu_blocks` less the one that holds no session. */
  readonly kvBlocks: number
  /** Parts of a step's time in ms; the same shape as admission's `StepModel`. */
  readonly stepModel: {
    readonly baseMs: number
    readonly perSessionMs: number
    readonly perFrameMs: number
  }
  /** Price of one GPU for one hour; null when it isn't known. */
  readonly pricePerHour: number | null
}

/**
 * Reads `config/gpus/<name>.yaml`.
 * @param options.cwd the project's folder
 * @throws ConfigError when the name is unknown (the sentence lists those that exist) or its file is
 * wrong
 */
export function loadGpuProfile(options: { cwd: string; name: string }): GpuProfile {
  const { cwd, name } = options
  const names = gpuProfileNames(cwd)
  if (!names.includes(name)) {
    const nearest = nearestName(name, names)
    const hint = nearest === null ? '' : ` Is it ${nearest}?`
    throw new ConfigError(
      'config_invalid',
      `There is no GPU profile ${name} in config/gpus (setting engine.gpu); there are: ${names.join(', ') || 'none'}.${hint}`,
      { facts: { gpu: name } },
    )
  }
  const { step, ...figures } = readDataFile(profileFile, { cwd, folder: 'gpus', name })
  return { name, ...figures, stepModel: step }
}

/** Names of all GPU profiles, sorted. */
export function gpuProfileNames(cwd: string): string[] {
  return dataFileNames(cwd, 'gpus')
}
