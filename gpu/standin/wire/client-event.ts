import { SAMPLE_BYTES, SAMPLE_RATE } from '../../../src/model/pcm.js'
import { decodeBase64Loosely } from './loose-base64.js'
import { readBooleanLoosely } from './loose-boolean.js'
import { pythonRepr, pythonStr, pythonTypeName, sanitizeMessage } from './python-text.js'
import type { WireErrorCode } from './server-event.js'

/** The error with which a frame is answered. */
export interface Refusal {
  kind: 'refused'
  error: string
  code: WireErrorCode
}

/** The meaning of one text frame of a client, parsed as loosely as in vLLM. */
export type ClientEvent =
  /** `model` is any JSON value; null also when it is missing. */
  | { kind: 'update'; model: unknown }
  | { kind: 'append'; samples: Int16Array }
  /** An unreadable `final` is an error only once the model is validated. */
  | { kind: 'commit'; final: boolean | Refusal }
  | Refusal

type Fields = Record<string, unknown>

/** Parses a frame. What vLLM answers with an error becomes a refusal; nothing throws. */
export function parseClientEvent(frame: string): ClientEvent {
  const parsed = parsePythonJson(frame)
  if (!parsed) return refused('invalid_json', 'Invalid JSON')
  const { value } = parsed
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return processingError(`'${pythonTypeName(value)}' object has no attribute 'get'`)
  }
  const fields = value as Fields
  switch (fields.type) {
    case 'session.update':
      return { kind: 'update', model: fields.model ?? null }
    case 'input_audio_buffer.append':
      return readAppend(fields)
    case 'input_audio_buffer.commit':
      return { kind: 'commit', final: readFinal(fields) }
    default:
      return unknownType(fields.type)
  }
}

const APPEND_BEGIN = '{"type":"input_audio_buffer.append","audio":"'
const APPEND_END = '"}'

/**
 * Parses a frame of our own client for a recognizer that ignores the audio: takes only the length
 * of an append and returns samples of 0, which saves nearly all of the work.
 */
export function parseUnheard(frame: string): ClientEvent {
  if (!frame.startsWith(APPEND_BEGIN) || !frame.endsWith(APPEND_END)) return parseClientEvent(frame)
  const letters = frame.length - APPEND_BEGIN.length - APPEND_END.length
  const last = frame.length - APPEND_END.length - 1
  const padding = frame[last] !== '=' ? 0 : frame[last - 1] !== '=' ? 1 : 2
  const samples = ((letters / 4) * 3 - padding) / SAMPLE_BYTES
  // Any other frame goes to the full parser: its error must be the one that vLLM sends.
  if (samples <= 0 || !Number.isInteger(samples)) return parseClientEvent(frame)
  return { kind: 'append', samples: silence(samples) }
}

const SILENCE = new Int16Array(SAMPLE_RATE)

function silence(samples: number): Int16Array {
  return samples <= SILENCE.length ? SILENCE.subarray(0, samples) : new Int16Array(samples)
}

/** An `error` with the text of an exception. */
export function processingError(message: string): Refusal {
  return refused('processing_error', sanitizeMessage(message))
}

/** The answer to a model that isn't served. */
export function modelNotFound(model: unknown): Refusal {
  return echo('model_not_found', () =>
    sanitizeMessage(`The model \`${pythonStr(model)}\` does not exist.`),
  )
}

function unknownType(type: unknown): Refusal {
  return echo('unknown_event', () => `Unknown event type: ${pythonStr(type ?? null)}`)
}

/**
 * An error text that repeats what the client sent. Python can't write everything that it can read.
 */
function echo(code: WireErrorCode, text: () => string): Refusal {
  try {
    const error = text()
    if (!/\p{Surrogate}/u.test(error)) return refused(code, error)
    return processingError('Error serializing to JSON: surrogates not allowed')
  } catch (error) {
    if (error instanceof RangeError) return processingError(error.message)
    throw error
  }
}

function refused(code: WireErrorCode, error: string): Refusal {
  return { kind: 'refused', error, code }
}

function readAppend(fields: Fields): ClientEvent {
  const { audio } = fields
  const model = 'InputAudioBufferAppend'
  if (audio === undefined) return invalid(model, 'audio', 'missing', fields)
  if (typeof audio !== 'string') return invalid(model, 'audio', 'string_type', audio)
  const bytes = decodeBase64Loosely(audio)
  if (!bytes || bytes.length === 0 || bytes.length % 2 !== 0) {
    return refused('invalid_audio', 'Invalid audio data')
  }
  return { kind: 'append', samples: int16Of(bytes) }
}

/** Samples of little-endian bytes; only for little-endian machines, as all that run this are. */
function int16Of(bytes: Buffer): Int16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : Uint8Array.from(bytes)
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2)
}

function readFinal(fields: Fields): boolean | Refusal {
  if (fields.final === undefined) return false
  const read = readBooleanLoosely(fields.final)
  if (read.kind === 'boolean') return read.value
  return invalid('InputAudioBufferCommit', 'final', read.complaint, fields.final)
}

const COMPLAINTS = {
  missing: 'Field required',
  string_type: 'Input should be a valid string',
  bool_type: 'Input should be a valid boolean',
  bool_parsing: 'Input should be a valid boolean, unable to interpret input',
}

/** Pydantic's error text for one invalid field. */
function invalid(
  model: string,
  field: string,
  complaint: keyof typeof COMPLAINTS,
  input: unknown,
): Refusal {
  const refusal = echo('processing_error', () => {
    const shown = `input_value=${shortened(pythonRepr(input))}, input_type=${pythonTypeName(input)}`
    return [
      `1 validation error for ${model}\n${field}`,
      `  ${COMPLAINTS[complaint]} [type=${complaint}, ${shown}]`,
      `    For further information visit https://errors.pydantic.dev/2.14/v/${complaint}`,
    ].join('\n')
  })
  return refusal
}

/** Pydantic shows the first 25 and the last 24 characters of texts longer than 50. */
function shortened(text: string): string {
  const characters = [...text]
  if (characters.length <= 50) return text
  return `${characters.slice(0, 25).join('')}...${characters.slice(-24).join('')}`
}

/** JSON as Python reads it: NaN, Infinity and -Infinity are numbers. Null when it isn't JSON. */
function parsePythonJson(frame: string): { value: unknown } | null {
  const strict = parseJson(frame)
  if (strict || !/NaN|Infinity/.test(frame)) return strict
  const plain = frame.replace(/"(?:[^"\\]|\\.)*"|NaN|Infinity/gs, (token) => {
    if (token.startsWith('"')) return token
    // Both become Infinity (1e999 overflows). NaN as Infinity changes only the text of an error.
    return '1e999'
  })
  return parseJson(plain)
}

function parseJson(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return null // the caller answers a frame that isn't JSON
  }
}
