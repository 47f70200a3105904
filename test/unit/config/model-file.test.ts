import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gpuProfileNames, loadGpuProfile } from '../../../src/config/data/gpu-profile.js'
import { loadKvModel } from '../../../src/config/data/model-file.js'
import { versionAtLeast } from '../../../src/config/engine-version.js'
import { ConfigError } from '../../../src/kernel/errors.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import type { StepModel } from '../../../src/model/step-model.js'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const VOXTRAL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'

describe('versions of an engine', () => {
  it.each([
    ['0.32.0', '0.32', true],
    ['0.32', '0.32.0', true],
    ['0.32.1.dev3+g1a2b3c', '0.32', true],
    ['v0.32.0', '0.32', true],
    ['0.9.2', '0.25', false],
    ['0.25', '0.25', true],
    ['0.24.9', '0.25', false],
    ['0.25.0rc1', '0.25', true],
    ['1.0', '0.32', true],
    ['nightly', '0.25', null],
  ])('%s is at least %s: %s', (version, minimum, expected) => {
    expect(versionAtLeast(version, minimum)).toBe(expected)
  })
})

describe('the file of a model', () => {
  const load = (version: string | null, blockTokens: number | null = null): KvModel =>
    loadKvModel({ cwd: PROJECT, model: VOXTRAL, version, blockTokens })

  it('gives the newest accounting unless the engine is older', () => {
    expect(load(null)).toEqual({
      blockTokens: 16,
      encoderWindowTokens: 189,
      decoderWindowTokens: 8192,
      decoderBlockRatio: 8,
    })
    const windows = ['0.16.0', '0.24.3', '0.25', '0.25.0', '0.32.1.dev3+g1a2b3c', 'main'].map(
      (version) => load(version).encoderWindowTokens,
    )
    expect(windows).toEqual([750, 750, 189, 189, 189, 189])
  })

  it("gives way to the engine's own block size", () => {
    expect(load('0.32.0', 32).blockTokens).toBe(32)
  })

  it('names the folder where an unknown model belongs', () => {
    const unknown = { cwd: PROJECT, model: 'acme/ears-1', version: null, blockTokens: null }
    expect(() => loadKvModel(unknown)).toThrow(ConfigError)
    expect(() => loadKvModel(unknown)).toThrow(/acme\/ears-1 .*engine\.model.* config\/models/)
  })
})

describe('GPU profiles', () => {
  it('are there for the four cards, with the blocks that fit on them', () => {
    const blocks = gpuProfileNames(PROJECT).map((name) => {
      const profile = loadGpuProfile({ cwd: PROJECT, name })
      return [profile.name, profile.kvBlocks, profile.pricePerHour]
    })
    expect(blocks).toEqual([
      ['h100-80', 3712, null],
      ['h200', 7232, null],
      ['l4', 448, null],
      ['l40s', 1728, null],
    ])
  })

  it('have step costs in ms', () => {
    const { stepModel } = loadGpuProfile({ cwd: PROJECT, name: 'l40s' })
    const expected: StepModel = { baseMs: 12, perSessionMs: 0.25, perFrameMs: 0.0015 }
    expect(stepModel).toEqual(expected)
  })

  it('are listed when a name is wrong', () => {
    const load = () => loadGpuProfile({ cwd: PROJECT, name: 'l40' })
    expect(load).toThrow(/no GPU profile l40 .*engine\.gpu.*h100-80, h200, l4, l40s\. Is it l4\?$/)
    expect(() => loadGpuProfile({ cwd: PROJECT, name: '../default' })).toThrow(ConfigError)
  })
})

describe('a data file that is wrong', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nightscribe-data-'))
    mkdirSync(join(folder, 'config', 'gpus'), { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each([
    [
      'memoryGib: 48\nkvBlocks: many\nstep: {baseMs: 1, perSessionMs: 1, perFrameMs: -1}\n',
      /^config\/gpus\/mine\.yaml is wrong, .*kvBlocks must be .*; step\.perFrameMs must be at least 0/,
    ],
    ['memoryGib: [', /^config\/gpus\/mine\.yaml is wrong, please correct: /],
    ['', /^config\/gpus\/mine\.yaml is wrong, please correct: it must be /],
  ])('is named, with every key: %j', (text, sentence) => {
    writeFileSync(join(folder, 'config', 'gpus', 'mine.yaml'), text)
    expect(() => loadGpuProfile({ cwd: folder, name: 'mine' })).toThrow(sentence)
  })
})
