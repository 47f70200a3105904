import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../../src/kernel/errors.js'
import {
  encodeAppend,
  encodeCommit,
  encodeUpdate,
  parseServerEvent,
} from '../../../src/realtime/wire-codec.js'

describe('parseServerEvent', () => {
  it.each([
    [
      '{"type":"session.created","id":"sess-1","created":1}',
      { kind: 'created', sessionId: 'sess-1' },
    ],
    ['{"type":"transcription.delta","delta":""}', { kind: 'delta', text: '' }],
    ['{"type":"transcription.delta","delta":" a","segments":[]}', { kind: 'delta', text: ' a' }],
    [
      '{"type":"transcription.done","text":" a","usage":{"prompt_tokens":39,"total_tokens":50,"completion_tokens":11,"prompt_tokens_details":null}}',
      { kind: 'done', text: ' a', usage: { promptTokens: 39, completionTokens: 11 } },
    ],
    [
      '{"type":"transcription.done","text":"","usage":null}',
      { kind: 'done', text: '', usage: null },
    ],
    ['{"type":"transcription.done","text":""}', { kind: 'done', text: '', usage: null }],
    [
      '{"type":"error","error":"x","code":"invalid_audio"}',
      { kind: 'error', message: 'x', code: 'invalid_audio' },
    ],
    ['{"type":"error","error":"x","code":null}', { kind: 'error', message: 'x', code: null }],
    ['{"type":"error","error":"x"}', { kind: 'error', message: 'x', code: null }],
    ['{"type":"session.updated","model":"m"}', { kind: 'other', type: 'session.updated' }],
  ])('reads %s', (frame, event) => {
    expect(parseServerEvent(frame)).toEqual(event)
  })

  it.each([
    '',
    'nonsense',
    'null',
    '[]',
    '{}',
    '{"type":7}',
    '{"type":"transcription.delta"}',
    '{"type":"transcription.delta","delta":null}',
    '{"type":"transcription.done","text":"","usage":{"completion_tokens":-1,"prompt_tokens":0}}',
    '{"type":"error","error":{"message":"nested"}}',
  ])('refuses %s as a breach of the protocol', (frame) => {
    expect(() => parseServerEvent(frame)).toThrow(ProtocolError)
  })

  it('gives an event or a ProtocolError for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (frame) => {
        try {
          expect(parseServerEvent(frame).kind).toBeTypeOf('string')
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
  })
})

describe('what the client sends', () => {
  it('is JSON that carries the audio unchanged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 4000 }), (pcm) => {
        const event = JSON.parse(encodeAppend(pcm))
        expect(event.type).toBe('input_audio_buffer.append')
        expect(Buffer.from(event.audio, 'base64').equals(pcm)).toBe(true)
      }),
    )
  })

  it('encodes a view into a larger buffer, not the buffer', () => {
    const whole = Uint8Array.from({ length: 100 }, (_, index) => index)
    const event = JSON.parse(encodeAppend(whole.subarray(10, 14)))
    expect([...Buffer.from(event.audio, 'base64')]).toEqual([10, 11, 12, 13])
  })

  it('names the model at the top level and says final as a boolean', () => {
    expect(JSON.parse(encodeUpdate('m"x'))).toEqual({ type: 'session.update', model: 'm"x' })
    expect(JSON.parse(encodeCommit(true))).toEqual({
      type: 'input_audio_buffer.commit',
      final: true,
    })
    expect(JSON.parse(encodeCommit(false)).final).toBe(false)
  })
})
