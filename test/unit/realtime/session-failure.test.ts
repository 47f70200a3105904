import { describe, expect, it } from 'vitest'
import {
  CapacityError,
  ConfigError,
  InputError,
  UpstreamError,
} from '../../../src/kernel/errors.js'
import {
  failureOfErrorFrame,
  framesTaken,
  isRefusal,
  TextLeftOut,
} from '../../../src/realtime/session-failure.js'

describe('an error frame', () => {
  it.each([
    ['model_not_found', 'engine_model_missing'],
    ['buffer_full', 'engine_overloaded'],
    ['idle_timeout', 'engine_overloaded'],
    ['invalid_audio', 'engine_overloaded'],
    ['processing_error', 'engine_crashed'],
    ['something_new', 'engine_crashed'],
    [null, 'engine_crashed'],
  ])('%s is %s, with what the engine said', (engineCode, code) => {
    const failure = failureOfErrorFrame('It said so', engineCode, 12)
    expect(failure).toMatchObject({ code, retryable: true, facts: { engineCode, deltas: 12 } })
    expect(failure.message).toContain('It said so')
  })

  it('is a refusal of everybody where it is about the model', () => {
    expect(isRefusal(failureOfErrorFrame('no', 'model_not_found', 0))).toBe(true)
    expect(isRefusal(failureOfErrorFrame('no', 'processing_error', 0))).toBe(false)
  })

  it('tells how much audio an engine takes, from a second on', () => {
    expect(framesTaken(failureOfErrorFrame('no', 'invalid_audio', 100))).toBe(107)
    expect(framesTaken(failureOfErrorFrame('no', 'invalid_audio', 6))).toBe(13)
    expect(framesTaken(failureOfErrorFrame('no', 'invalid_audio', 5))).toBeNull()
    expect(framesTaken(failureOfErrorFrame('no', 'buffer_full', 100))).toBeNull()
    expect(framesTaken(new Error('no'))).toBeNull()
  })
})

describe('a session that failed', () => {
  it.each([
    ['a key', new UpstreamError('engine_unauthorized', 'no'), true],
    ['a model', new UpstreamError('engine_model_missing', 'no'), true],
    ['an address', new ConfigError('config_invalid', 'no'), true],
    ['a crash', new UpstreamError('engine_crashed', 'no'), false],
    ['no room', new CapacityError('engine_overloaded', 'no', { retryAfterMs: 1 }), false],
    ['an input', new InputError('media_corrupt', 'no'), false],
    ['a bug', new Error('no'), false],
  ])('by %s: everybody would be refused: %s', (_, error, isForAll) => {
    expect(isRefusal(error)).toBe(isForAll)
  })

  it('because text is missing is told from all others', () => {
    const speech = new TextLeftOut('speech', 'No text.', { deltas: 3 })
    const tail = new TextLeftOut('tail', 'No end.', { deltas: 3 })
    expect(speech).toMatchObject({ code: 'session_stalled', message: 'No text.', retryable: true })
    expect(tail).toMatchObject({ code: 'engine_protocol', message: 'No end.', retryable: true })
    expect([speech, tail].every((each) => each instanceof TextLeftOut)).toBe(true)
    expect(new UpstreamError('session_stalled', 'no') instanceof TextLeftOut).toBe(false)
    expect(new Error('no') instanceof TextLeftOut).toBe(false)
  })
})
