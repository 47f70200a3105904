import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseClientEvent, parseUnheard } from '../../../../gpu/standin/wire/client-event.js'
import { WIRE_ERROR_CODES } from '../../../../gpu/standin/wire/server-event.js'

const append = (audio: unknown) => JSON.stringify({ type: 'input_audio_buffer.append', audio })
const commit = (final: unknown) => JSON.stringify({ type: 'input_audio_buffer.commit', final })

function refusalOf(frame: string): string {
  const event = parseClientEvent(frame)
  if (event.kind === 'refused') return `${event.code}: ${event.error}`
  return event.kind
}

describe('what a client says', () => {
  it('is read as vLLM reads it', () => {
    expect(parseClientEvent('{"type":"session.update","model":"m","x":1}')).toEqual({
      kind: 'update',
      model: 'm',
    })
    expect(parseClientEvent('{"type":"session.update"}')).toEqual({ kind: 'update', model: null })
    expect(parseClientEvent(append('AQACAP//'))).toEqual({
      kind: 'append',
      samples: Int16Array.of(1, 2, -1),
    })
    expect(parseClientEvent('{"type":"input_audio_buffer.commit"}')).toEqual({
      kind: 'commit',
      final: false,
    })
  })

  it.each([
    ['hello{', 'invalid_json: Invalid JSON'],
    ['', 'invalid_json: Invalid JSON'],
    ['"NaN', 'invalid_json: Invalid JSON'],
    ['[1,2]', "processing_error: 'list' object has no attribute 'get'"],
    ['null', "processing_error: 'NoneType' object has no attribute 'get'"],
    ['NaN', "processing_error: 'float' object has no attribute 'get'"],
    ['{"type":-Infinity}', 'unknown_event: Unknown event type: -inf'],
    ['{"type":"a \\"NaN\\" b","n":NaN}', 'unknown_event: Unknown event type: a "NaN" b'],
    ['{}', 'unknown_event: Unknown event type: None'],
    ['{"type":"session.cancel"}', 'unknown_event: Unknown event type: session.cancel'],
    ['{"type":"\\udc00"}', 'processing_error: Error serializing to JSON: surrogates not allowed'],
    [append(''), 'invalid_audio: Invalid audio data'],
    [append('YWJj'), 'invalid_audio: Invalid audio data'],
    [append('%%%%'), 'invalid_audio: Invalid audio data'],
  ])('%j is refused with %j', (frame, refusal) => {
    expect(refusalOf(frame)).toBe(refusal)
  })

  it('is refused when it is too deep for Python to print', () => {
    const deep = `${'['.repeat(2000)}${']'.repeat(2000)}`
    expect(refusalOf(`{"type":${deep}}`)).toMatch(/^processing_error: maximum recursion depth/)
  })

  it('is refused with the text of pydantic when a field is wrong', () => {
    expect(refusalOf('{"type":"input_audio_buffer.append"}')).toBe(
      'processing_error: 1 validation error for InputAudioBufferAppend\naudio\n' +
        "  Field required [type=missing, input_value={'type': 'input_audio_buffer.append'}, input_type=dict]\n" +
        '    For further information visit https://errors.pydantic.dev/2.14/v/missing',
    )
    expect(refusalOf(append(null))).toContain('Input should be a valid string [type=string_type')
  })

  it.each([
    [true, [true, 1, '1', 't', 'TRUE', 'y', 'Yes', 'on']],
    [false, [false, 0, '0', 'f', 'False', 'n', 'NO', 'off', undefined]],
  ])('final is %s as any of %j', (wanted, values) => {
    for (const value of values) {
      expect(parseClientEvent(commit(value))).toEqual({ kind: 'commit', final: wanted })
    }
  })

  it.each([
    ['bool_parsing', [2, -1, '', ' true', 'maybe']],
    ['bool_type', [null, 0.5, [], {}, [true]]],
  ])('final is refused with %s as any of %j', (complaint, values) => {
    for (const final of values) {
      const event = parseClientEvent(commit(final))
      expect(event).toMatchObject({
        kind: 'commit',
        final: { kind: 'refused', code: 'processing_error' },
      })
      expect(JSON.stringify(event)).toContain(`type=${complaint},`)
    }
  })

  it('is an event or a refusal with one of the codes, whatever it is, and nothing throws', () => {
    const field = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.base64String(),
      fc.jsonValue({ maxDepth: 1 }),
    )
    const types = ['session.update', 'input_audio_buffer.append', 'input_audio_buffer.commit']
    const nearly = fc.record(
      { type: fc.constantFrom(...types), model: field, audio: field, final: field },
      { requiredKeys: ['type'] },
    )
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      nearly.map((fields) => JSON.stringify(fields)),
      nearly.map((fields) => JSON.stringify(fields).replace(/\d+/, 'NaN')),
    )
    fc.assert(
      fc.property(frames, (frame) => {
        const event = parseClientEvent(frame)
        if (event.kind === 'refused') expect(WIRE_ERROR_CODES).toContain(event.code)
        if (event.kind === 'append') expect(event.samples.length).toBeGreaterThan(0)
        parseUnheard(frame)
      }),
      { numRuns: 300 },
    )
  })
})
