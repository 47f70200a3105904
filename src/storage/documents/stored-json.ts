import type { ZodType } from 'zod'
import { NightscribeError, ProtocolError } from '../../kernel/errors.js'
import type { ObjectStore, PutOutcome } from '../index.js'
import { asStorageError } from '../job-object-error.js'
import { readWholeBody } from '../object-body.js'

/** Largest JSON document that is read, 64 MiB: the transcript of a whole day is far smaller. */
const JSON_BYTES_MAX = 64 * 2 ** 20

/**
 * Reads a JSON document that Nightscribe wrote.
 * @returns null where there is none
 * @throws ProtocolError where the document doesn't fit the schema; what the store throws, a denial
 *   as UpstreamError `storage_unavailable`
 */
export async function readJson<T>(
  store: ObjectStore,
  key: string,
  schema: ZodType<T>,
  { signal }: { signal: AbortSignal },
): Promise<T | null> {
  const bytes = await readWhole(store, key, signal)
  if (!bytes) return null
  const parsed = schema.safeParse(parse(bytes))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue ? `${issue.path.join('.') || 'the document'}: ${issue.message}` : 'its shape'
  throw new ProtocolError(
    'internal',
    `${key} in storage is not what this release writes (${where}); was it changed by hand?`,
    { cause: parsed.error },
  )
}

/** Writes a document as one line of JSON. With `onlyIfAbsent` an existing one stays unchanged. */
export async function writeJson(
  store: ObjectStore,
  key: string,
  value: object,
  options: { signal: AbortSignal; onlyIfAbsent?: boolean },
): Promise<PutOutcome> {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  return await store.put(key, body, { ...options, contentType: 'application/json' })
}

async function readWhole(
  store: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<Buffer | null> {
  try {
    const object = await store.get(key, { signal })
    return await readWholeBody(object, { key, bytesMax: JSON_BYTES_MAX })
  } catch (error) {
    if (error instanceof NightscribeError && error.code === 'input_not_found') return null
    throw asStorageError(error)
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined // no JSON: the schema refuses it, and the error names the key
  }
}
