import { describe, expect, it } from 'vitest'
import { overfillRisk, requireConsent } from '../../../../src/cli/sweep/consent.js'
import { parseSweepOptions } from '../../../../src/cli/sweep/options.js'
import { outcomeOf } from '../../../../src/cli/sweep/session-outcome.js'
import { requireContextFor } from '../../../../src/cli/sweep/swept-engine.js'
import { ConfigError, StopRequested, UpstreamError } from '../../../../src/kernel/errors.js'
import {
  EndpointMissing,
  failureOfErrorFrame,
  SessionClosed,
  UpgradeRefused,
} from '../../../../src/realtime/session-failure.js'
import { factsOf } from '../../planning/sweep/sweep-figures.js'

const raw = { sessions: '8,32', seconds: '60', pace: '1', slaMs: '2000', seed: '1' }

describe('parseSweepOptions', () => {
  it('puts the steps into ascending order, each once', () => {
    expect(parseSweepOptions({ ...raw, sessions: '64, 8,32,8' }).sessions).toEqual([8, 32, 64])
  })

  it.each([
    ['--sessions', { sessions: '8,,32' }],
    ['--sessions', { sessions: 'many' }],
    ['--sessions', { sessions: '0' }],
    ['--seconds', { seconds: '0' }],
    ['--seconds', { seconds: '1.5' }],
    ['--pace', { pace: 'max' }],
    ['--sla-ms', { slaMs: '10' }],
    ['--seed', { seed: '-1' }],
    ['--engine', { engine: 'http://gpu-node:8000' }],
  ])('refuses a wrong %s, naming it', (option, changes) => {
    expect(() => parseSweepOptions({ ...raw, ...changes })).toThrow(new RegExp(`^${option} takes`))
  })
})

describe('overfillRisk', () => {
  const kvModel = {
    blockTokens: 16,
    encoderWindowTokens: 189,
    decoderWindowTokens: 8192,
    decoderBlockRatio: 8,
  }
  const engine = { kvModel, kvBlocksMax: 1728 }
  const step = { sessions: 64, seconds: 60, pace: 1, othersConnected: 0 }

  it.each([
    ['it fits', engine, step, null],
    ['longer than the cache', engine, { ...step, seconds: 600 }, /want up to \d+ KV blocks/],
    ['sooner at a higher pace', engine, { ...step, pace: 10 }, /has 1728/],
    ['others are there', engine, { ...step, othersConnected: 2 }, /^2 connections of others/],
    ['nobody knows the cache', { kvModel, kvBlocksMax: null }, { ...step, seconds: 600 }, null],
    ['nobody knows the law', { kvModel: null, kvBlocksMax: 9 }, step, null],
  ])('%s', (_, of, wanted, sentence) => {
    const risk = overfillRisk(of, wanted)
    if (sentence === null) expect(risk).toBeNull()
    else expect(risk).toMatch(sentence)
  })

  it('goes on with a yes alone', async () => {
    const { signal } = new AbortController()
    const asked: string[] = []
    const answering = (answer: string) => async (question: string) => {
      asked.push(question)
      return answer
    }
    await requireConsent('It is risky.', { ask: answering('Yes'), signal })
    expect(asked).toEqual(['It is risky. Go on? (y/N) '])
    for (const answer of ['', 'n', 'yup']) {
      const asking = requireConsent('It is risky.', { ask: answering(answer), signal })
      await expect(asking).rejects.toBeInstanceOf(StopRequested)
    }
    const alone = requireConsent('It is risky.', { ask: null, signal })
    await expect(alone).rejects.toThrow(
      new ConfigError('config_invalid', 'It is risky. Give --yes to do it all the same.'),
    )
  })
})

describe('requireContextFor', () => {
  it('refuses steps that would end at max_model_len', () => {
    const engine = { ...factsOf().engine, maxModelLen: 2048 }
    expect(() => requireContextFor(engine, { seconds: 158, pace: 1 })).not.toThrow()
    expect(() => requireContextFor(engine, { seconds: 159, pace: 1 })).toThrow(
      /--seconds 159 at pace 1 .* 2048 tokens; at most 158 s/,
    )
    expect(() => requireContextFor(engine, { seconds: 100, pace: 2 })).toThrow(/at most 78 s/)
  })
})

describe('outcomeOf', () => {
  const failure = (code: ConstructorParameters<typeof UpstreamError>[0]) =>
    new UpstreamError(code, 'It broke.')
  const closed = new SessionClosed('It broke.', { closeCode: 1012, state: 'created', deltas: 0 })

  it.each([
    ['a close', closed, 'closed', 'close_1012'],
    ['a refusal', new UpgradeRefused('engine_unavailable', 'No.', 503), 'rejected', 'http_503'],
    ['no such path', new EndpointMissing('No.', 404), 'rejected', 'http_404'],
    ['nobody there', failure('engine_unavailable'), 'error', 'engine_unavailable'],
    ['silence', failure('session_stalled'), 'timeout', 'session_stalled'],
    ['an error event', failureOfErrorFrame('It broke.', 'x', 3), 'error', 'x'],
    ['an early end', failure('engine_protocol'), 'error', 'engine_protocol'],
    ['a bug of ours', new TypeError('x is not a function'), 'error', 'internal'],
  ])('%s', (_, error, outcome, code) => {
    expect(outcomeOf(error)).toMatchObject({ outcome, code })
  })
})
