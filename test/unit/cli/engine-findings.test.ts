import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { engineFindings } from '../../../src/cli/engine-findings.js'
import { loadGpuProfile } from '../../../src/config/data/gpu-profile.js'
import { loadKvModel } from '../../../src/config/data/model-file.js'
import { settingsSchema } from '../../../src/config/schema.js'
import { type EngineGauges, NO_GAUGES } from '../../../src/engines/engine-metrics.js'
import {
  type EngineFacts,
  type EngineSettings,
  requireUsable,
} from '../../../src/engines/read-engine.js'
import { ConfigError } from '../../../src/kernel/errors.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const URL_OF_IT = 'ws://gpu:8000/v1/realtime'

interface Changes {
  version?: string | null
  maxModelLen?: number | null
  gauges?: Partial<EngineGauges>
  gpu?: string
  isStandin?: boolean
}

function factsOf(changes: Changes = {}): EngineFacts {
  const version = changes.version === undefined ? '0.32.0' : changes.version
  const maxModelLen = changes.maxModelLen === undefined ? 16_384 : changes.maxModelLen
  return {
    address: { url: URL_OF_IT, key: null },
    description: {
      model: MODEL,
      maxModelLen,
      version,
      isStandin: changes.isStandin ?? false,
      deltaDelayMs: 0,
    },
    gauges: { ...NO_GAUGES, cores: 1, kvBlocksTotal: 1729, ...changes.gauges },
    kvModel: loadKvModel({ cwd: root, model: MODEL, version, blockTokens: 16 }),
    gpu: changes.gpu === undefined ? null : loadGpuProfile({ cwd: root, name: changes.gpu }),
  }
}

const settingsOf = (input: object = {}): EngineSettings => settingsSchema.parse(input)

function findingsOf(changes: Changes = {}, settings: object = {}): string[] {
  const findings = engineFindings(settingsOf(settings), factsOf(changes))
  return findings.map(({ state, detail }) => `${state}: ${detail}`)
}

const onlyBad = (findings: readonly string[]) => findings.filter((line) => !line.startsWith('ok: '))

describe('what doctor says of an engine', () => {
  it('that is as it should be', () => {
    expect(findingsOf({ gpu: 'l40s' })).toEqual([
      'ok: ws://gpu:8000/v1/realtime: vLLM 0.32.0, context 16384 tokens',
      'ok: its context holds legs up to legs.ceilingMs, 600 s',
      'ok: 1728 KV blocks (told by the server), 1658 given out: by memory about 21 endless recordings that never change sessions, 102 in legs of 60 s',
    ])
  })

  it('whose profile is not named, and whose context cuts legs', () => {
    expect(findingsOf({ maxModelLen: 2048, isStandin: true })).toEqual([
      'ok: ws://gpu:8000/v1/realtime: stand-in 0.32.0, context 2048 tokens',
      'ok: its context holds legs up to 126 s (legs.ceilingMs is 600 s)',
      expect.stringMatching(/^ok: 1728 KV blocks/),
      'ok: no step budget: set engine.gpu (NIGHTSCRIBE_ENGINE_GPU) to the profile of its GPU',
    ])
  })

  it.each([
    ['0.32.0', null],
    ['0.33.1.dev3+g1a2b3c4', null],
    [
      '0.31.2',
      /^warning: The engine at ws:.* is vLLM 0\.31\.2, .* 0\.32 or newer is recommended\.$/,
    ],
    ['0.25.0', /^warning: .* is vLLM 0\.25\.0, .* recommended\.$/],
    [
      '0.24.9',
      /^warning: .* is vLLM 0\.24\.9, .* three times the KV blocks .* upgrade it to 0\.32/,
    ],
    [null, /^warning: The engine at ws:.* doesn't tell its version, .* 0\.32 or newer\.$/],
    ['main', /^warning: .* doesn't tell its version/],
  ])('of version %s', (version, sentence) => {
    const bad = onlyBad(findingsOf({ version }))
    expect(bad).toHaveLength(sentence === null ? 0 : 1)
    if (sentence) expect(bad[0]).toMatch(sentence)
  })

  it('whose context is too small for the shortest leg', () => {
    expect(onlyBad(findingsOf({ maxModelLen: 256 }))).toEqual([
      'wrong: The engine at ws://gpu:8000/v1/realtime has a max_model_len of 256 tokens, enough for at most 11840 ms of audio in a session; start it with --max-model-len 383 or more, or lower legs.floorMs (20000). [config_invalid]',
    ])
    expect(onlyBad(findingsOf({ maxModelLen: 256 }, { legs: { floorMs: 10_000 } }))).toEqual([])
  })

  it('whose context is not known', () => {
    expect(onlyBad(findingsOf({ maxModelLen: null }))).toEqual([
      "warning: The engine at ws://gpu:8000/v1/realtime doesn't tell its max_model_len; it must be enough for legs of legs.ceilingMs (600000 ms).",
    ])
  })

  it('whose blocks only the profile knows, and nobody', () => {
    const untold = { gauges: { kvBlocksTotal: null } }
    expect(findingsOf({ ...untold, gpu: 'l40s' })[2]).toMatch(
      /^ok: 1728 KV blocks \(by the GPU profile l40s\)/,
    )
    const sentence =
      "The engine at ws://gpu:8000/v1/realtime doesn't tell how many KV blocks it has; set engine.gpu (NIGHTSCRIBE_ENGINE_GPU) to the profile of its GPU. [config_invalid]"
    expect(onlyBad(findingsOf(untold))).toEqual([`wrong: ${sentence}`])
    const fixed = { admission: { policy: 'fixed' } }
    expect(onlyBad(findingsOf(untold, fixed))).toEqual([`warning: ${sentence}`])
  })

  it('that has other blocks than its profile', () => {
    expect(onlyBad(findingsOf({ gpu: 'h200' }))).toEqual([
      "warning: The engine at ws://gpu:8000/v1/realtime has 1728 KV blocks, the GPU profile h200 7232; the server's figure counts, but is engine.gpu right for the step budget?",
    ])
  })

  it('that has several cores', () => {
    expect(onlyBad(findingsOf({ gauges: { cores: 2 } }))).toEqual([
      'warning: The engine at ws://gpu:8000/v1/realtime has 2 engine cores and places sessions on them itself, so only the blocks of the smallest one are given out; start one server a GPU and name each in NIGHTSCRIBE_ENGINES.',
    ])
  })
})

describe('a start', () => {
  it('takes an engine that can be used, and says what is given out', () => {
    const { kvBlocksBatch, source } = requireUsable(settingsOf(), factsOf())
    expect({ kvBlocksBatch, source }).toEqual({ kvBlocksBatch: 1658, source: 'server' })
  })

  it.each<[string, Changes, RegExp]>([
    ['too small a context', { maxModelLen: 256 }, /max_model_len of 256 .* legs\.floorMs/],
    ['no blocks that anybody knows', { gauges: { kvBlocksTotal: null } }, /engine\.gpu/],
  ])('refuses one with %s', (_, changes, sentence) => {
    const act = () => requireUsable(settingsOf(), factsOf(changes))
    expect(act).toThrow(ConfigError)
    expect(act).toThrow(sentence)
  })
})
