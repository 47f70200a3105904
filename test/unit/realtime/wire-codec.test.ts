import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseClientEvent, parseUnheard } from '../../../gpu/standin/wire/client-event.js'
import {
  createdFrame,
  deltaFrame,
  doneFrame,
  errorFrame,
  updatedFrame,
  WIRE_ERROR_CODES,
} from '../../../gpu/standin/wire/server-event.js'
import { ProtocolError } from '../../../src/kernel/errors.js'
import {
  encodeAppend,
  encodeCommit,
  encodeUpdate,
  parseServerEvent,
  type ServerEvent,
} from '../../../src/realtime/wire-codec.js'

const text = fc.string({ unit: 'grapheme' })
const KINDS: Readonly<Record<string, ServerEvent['kind']>> = {
  'session.created': 'created',
  'transcription.delta': 'delta',
  'transcription.done': 'done',
  error: 'error',
}

/** A frame, and what it says. */
interface Said {
  frame: string
  event: ServerEvent
}

/** Null where it was refused as it should be. */
function eventOrNull(frame: string): ServerEvent | null {
  try {
    return parseServerEvent(frame)
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error).toMatchObject({ code: 'engine_protocol' })
    return null
  }
}

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

  it('reads whatever a server says, with keys that nobody knows yet', () => {
    const tokens = fc.nat()
    const usage = fc.record({ promptTokens: tokens, completionTokens: tokens })
    const said = fc.oneof<fc.Arbitrary<Said>[]>(
      text.map((id) => ({ frame: createdFrame(id, 1), event: { kind: 'created', sessionId: id } })),
      text.map((delta) => ({ frame: deltaFrame(delta), event: { kind: 'delta', text: delta } })),
      fc.tuple(text, usage).map(([whole, count]) => {
        return {
          frame: doneFrame(whole, count),
          event: { kind: 'done', text: whole, usage: count },
        }
      }),
      fc.tuple(text, fc.constantFrom(...WIRE_ERROR_CODES)).map(([message, code]) => {
        return { frame: errorFrame(message, code), event: { kind: 'error', message, code } }
      }),
      text.map((model) => {
        return { frame: updatedFrame(model), event: { kind: 'other', type: 'session.updated' } }
      }),
    )
    const unknown = fc.dictionary(
      text.map((name) => `x-${name}`),
      fc.jsonValue(),
    )
    fc.assert(
      fc.property(said, unknown, ({ frame, event }, more) => {
        expect(parseServerEvent(frame)).toEqual(event)
        expect(parseServerEvent(JSON.stringify({ ...more, ...JSON.parse(frame) }))).toEqual(event)
      }),
    )
  })

  it('gives an event of the right shape or a ProtocolError for any frame', () => {
    const field = fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 2 }))
    const nearly = fc.record(
      {
        type: fc.constantFrom(...Object.keys(KINDS), 'session.updated'),
        ...{ id: field, delta: field, text: field, error: field, code: field },
        usage: fc.oneof(field, fc.record({ prompt_tokens: field, completion_tokens: field })),
      },
      { requiredKeys: ['type'] },
    )
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      nearly.map((fields) => JSON.stringify(fields)),
    )
    fc.assert(
      fc.property(frames, (frame) => {
        const event = eventOrNull(frame)
        if (event === null) return
        const type: unknown = JSON.parse(frame).type
        expect(event.kind).toBe(KINDS[String(type)] ?? 'other')
        for (const [name, value] of Object.entries(event)) {
          if (name === 'usage' && value !== null) {
            expect(Object.values(value).every((count) => Number.isInteger(count))).toBe(true)
          } else if (value !== null) expect(value).toBeTypeOf('string')
        }
      }),
      { numRuns: 500 },
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

  it('is read by a server as what was meant, sample by sample', () => {
    const pcm = fc.uint8Array({ minLength: 1, maxLength: 700 }).map((bytes) => {
      return Uint8Array.from([...bytes, ...bytes])
    })
    fc.assert(
      fc.property(pcm, text, fc.boolean(), (bytes, model, final) => {
        const samples = new Int16Array(bytes.buffer.slice(0))
        const frame = encodeAppend(bytes)
        expect(parseClientEvent(frame)).toEqual({ kind: 'append', samples })
        expect(parseUnheard(frame)).toMatchObject({ samples: { length: samples.length } })
        expect(parseClientEvent(encodeUpdate(model))).toEqual({ kind: 'update', model })
        expect(parseClientEvent(encodeCommit(final))).toEqual({ kind: 'commit', final })
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
