import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FetchedSpeechModel } from '../../../../src/config/data/speech-model.js'
import { ConfigError, systemCode } from '../../../../src/kernel/errors.js'

/** Files of a kind of model, by the names that they have in the releases of sherpa-onnx. */
type ModelKind = Readonly<Record<string, RegExp>>

const MOONSHINE_MERGED: ModelKind = {
  encoder: /^encoder_model\.(ort|onnx)$/,
  mergedDecoder: /^decoder_model_merged\.(ort|onnx)$/,
}
const MOONSHINE: ModelKind = {
  preprocessor: /^preprocess(\.int8)?\.onnx$/,
  encoder: /^encode(\.int8)?\.onnx$/,
  uncachedDecoder: /^uncached_decode(\.int8)?\.onnx$/,
  cachedDecoder: /^cached_decode(\.int8)?\.onnx$/,
}
const WHISPER: ModelKind = {
  encoder: /(^|-)encoder(\.int8)?\.onnx$/,
  decoder: /(^|-)decoder(\.int8)?\.onnx$/,
}
const TOKENS = /(^|-)tokens\.txt$/

/**
 * `modelConfig` of sherpa-onnx for the model that set-up fetched. A file with another hash than in
 * `config/recognizers` is never used: the native module aborts the process for a broken one.
 * @throws ConfigError when a file is missing or another
 */
export async function fetchedModelConfig(model: FetchedSpeechModel): Promise<object> {
  for (const file of model.files) {
    const path = join(model.path, file.name)
    const content = await readFile(path).catch((error: unknown) => {
      const sentence = `The speech model's file ${path} can't be read (${systemCode(error)})`
      throw unusable(`${sentence}: run 'npm start' or 'npm test', which fetch it`, error)
    })
    const sha256 = createHash('sha256').update(content).digest('hex')
    if (sha256 === file.sha256) continue
    throw unusable(`${path} isn't a file of ${model.name}: remove it and run 'npm start' again`)
  }
  return await folderModelConfig(model.path)
}

/**
 * `modelConfig` of sherpa-onnx for a folder with a Moonshine or Whisper model, by its files' names.
 * @throws ConfigError when there is none in it
 */
export async function folderModelConfig(folder: string): Promise<object> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw unusable(
      `The speech model's folder ${folder} can't be read (${systemCode(error)})`,
      error,
    )
  })
  names.sort() // where a model is there twice, `.int8.onnx` comes before `.onnx`
  const find = (pattern: RegExp) => {
    const name = names.find((each) => pattern.test(each))
    return name === undefined ? null : join(folder, name)
  }
  const filesOf = (kind: ModelKind) => {
    const files = Object.entries(kind).map(([part, pattern]) => [part, find(pattern)] as const)
    return files.every(([, path]) => path !== null) ? Object.fromEntries(files) : null
  }
  const tokens = find(TOKENS)
  const moonshine = filesOf(MOONSHINE_MERGED) ?? filesOf(MOONSHINE)
  const whisper = filesOf(WHISPER)
  if (tokens !== null && moonshine !== null) return { moonshine, tokens, numThreads: 1 }
  if (tokens !== null && whisper !== null) return { whisper, tokens, numThreads: 1 }
  throw unusable(
    `${folder} holds no speech model: the setting standin.modelPath must name a folder with a ` +
      'Moonshine or Whisper model of sherpa-onnx, its files named as in its releases',
  )
}

function unusable(sentence: string, cause?: unknown): ConfigError {
  return new ConfigError('config_invalid', `${sentence}.`, {
    cause,
    facts: { setting: 'standin.modelPath' },
  })
}
