import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  fetchedModelConfig,
  folderModelConfig,
} from '../../../../../gpu/standin/recognizers/speech/model-folder.js'
import { ConfigError } from '../../../../../src/kernel/errors.js'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-model-'))
})

afterEach(() => rm(folder, { recursive: true }))

async function put(...names: string[]): Promise<void> {
  for (const name of names) await writeFile(join(folder, name), name)
}

function fetched(...names: string[]) {
  const files = names.map((name) => {
    const sha256 = createHash('sha256').update(name).digest('hex')
    return { name, bytes: name.length, sha256 }
  })
  const wheel = { package: 'p', version: '1', platform: 'any', bytes: 1, sha256: '', folder: 'f' }
  return { name: 'tiny', path: folder, wheel, files }
}

const at = (name: string) => join(folder, name)

describe('a speech model', () => {
  it.each([
    [['encoder_model.ort', 'decoder_model_merged.ort'], 'moonshine', ['encoder', 'mergedDecoder']],
    [
      [
        'preprocess.onnx',
        'encode.int8.onnx',
        'uncached_decode.int8.onnx',
        'cached_decode.int8.onnx',
      ],
      'moonshine',
      ['preprocessor', 'encoder', 'uncachedDecoder', 'cachedDecoder'],
    ],
    [['base-encoder.onnx', 'base-decoder.int8.onnx'], 'whisper', ['encoder', 'decoder']],
  ])('is known by its files: %j', async (names, kind, parts) => {
    const tokens = kind === 'whisper' ? 'base-tokens.txt' : 'tokens.txt'
    await put(...names, tokens, 'README.md')
    const files = Object.fromEntries(parts.map((part, index) => [part, at(names[index] as string)]))
    expect(await folderModelConfig(folder)).toEqual({
      [kind]: files,
      tokens: at(tokens),
      numThreads: 1,
    })
  })

  it('is taken in its small form where both are there', async () => {
    await put('tiny-encoder.onnx', 'tiny-encoder.int8.onnx', 'tiny-decoder.onnx', 'tiny-tokens.txt')
    expect(await folderModelConfig(folder)).toMatchObject({
      whisper: { encoder: at('tiny-encoder.int8.onnx'), decoder: at('tiny-decoder.onnx') },
    })
  })

  it('is asked for in one sentence where there is none', async () => {
    await put('encoder_model.ort', 'decoder_model_merged.ort')
    const sentence = `${folder} holds no speech model: the setting standin.modelPath must name`
    await expect(folderModelConfig(folder)).rejects.toThrow(ConfigError)
    await expect(folderModelConfig(folder)).rejects.toThrow(sentence)
    const nowhere = join(folder, 'nowhere')
    await expect(folderModelConfig(nowhere)).rejects.toThrow(
      `The speech model's folder ${nowhere} can't be read (ENOENT)`,
    )
  })

  it('is never used with another hash, or without a file', async () => {
    const names = ['encoder_model.ort', 'decoder_model_merged.ort', 'tokens.txt']
    await put(...names)
    expect(await fetchedModelConfig(fetched(...names))).toHaveProperty('moonshine')
    await writeFile(at('tokens.txt'), 'tokens.tx')
    await expect(fetchedModelConfig(fetched(...names))).rejects.toThrow(
      `${at('tokens.txt')} isn't a file of tiny: remove it and run 'npm start' again.`,
    )
    await rm(at('tokens.txt'))
    await expect(fetchedModelConfig(fetched(...names))).rejects.toThrow(
      `The speech model's file ${at('tokens.txt')} can't be read (ENOENT): run 'npm start'`,
    )
  })
})
