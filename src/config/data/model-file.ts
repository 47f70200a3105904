import { z } from 'zod'
import { ConfigError } from '../../kernel/errors.js'
import { versionAtLeast } from '../engine-version.js'
import { dataFileNames, readDataFile } from './data-file.js'

const count = z.int().min(1)
const version = z.string().regex(/^\d+\.\d+(\.\d+)?$/)

const modelFile = z.strictObject({
  models: z.array(z.string().min(1)).min(1),
  kv: z.strictObject({
    encoderWindows: z.array(z.strictObject({ from: version, tokens: count })).min(1),
    decoderWindowTokens: count,
    decoderBlockRatio: count,
    blockTokens: count,
    blockBytes: count,
  }),
  promptTokens: count,
  delayMs: z.int().min(0),
})

/** What a session of a model holds of the KV cache; the same shape as admission's `KvModel`. */
export interface KvFigures {
  readonly blockTokens: number
  readonly encoderWindowTokens: number
  readonly decoderWindowTokens: number
  readonly decoderBlockRatio: number
}

/**
 * The KV figures of a model, from the file of `config/models` that lists its id.
 * @param options.cwd the project's folder
 * @param options.version vLLM's version from the engine's `/version`; null or unreadable: the
 * newest accounting is used
 * @param options.blockTokens the engine's `block_size`; null: the one in the file
 * @throws ConfigError when no file lists the model, or its file is wrong
 */
export function loadKvModel(options: {
  cwd: string
  model: string
  version: string | null
  blockTokens: number | null
}): KvFigures {
  const { kv } = fileOf(options.model, options.cwd)
  return {
    blockTokens: options.blockTokens ?? kv.blockTokens,
    encoderWindowTokens: encoderWindow(kv.encoderWindows, options.version),
    decoderWindowTokens: kv.decoderWindowTokens,
    decoderBlockRatio: kv.decoderBlockRatio,
  }
}

function fileOf(model: string, cwd: string): z.infer<typeof modelFile> {
  for (const name of dataFileNames(cwd, 'models')) {
    const file = readDataFile(modelFile, { cwd, folder: 'models', name })
    if (file.models.includes(model)) return file
  }
  throw new ConfigError(
    'config_invalid',
    `What a session of the model ${model} holds is not known; add its id (setting engine.model) to a file of config/models that fits it, or a file of its own.`,
    { facts: { model } },
  )
}

/** The encoder window of the highest `from` that isn't above the engine's version. */
function encoderWindow(
  windows: readonly { from: string; tokens: number }[],
  engineVersion: string | null,
): number {
  const newestFirst = [...windows].sort((a, b) => (versionAtLeast(a.from, b.from) ? -1 : 1))
  const fits = newestFirst.find(
    ({ from }) => engineVersion === null || versionAtLeast(engineVersion, from) !== false,
  )
  return (fits ?? newestFirst.at(-1) ?? { tokens: 0 }).tokens
}
