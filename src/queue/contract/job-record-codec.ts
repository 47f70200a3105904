import { z } from 'zod'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import type { JobEvent, JobRecord } from '../index.js'
import { jobError } from './job-error.js'
import { JOB_STATUSES } from './job-status.js'
import { jsonValue } from './json-value.js'

const status = z.enum(JOB_STATUSES)
const waiting = z.object({
  place: z.number().nullable(),
  expectedStartAtMs: z.number().nullable(),
  reason: z.string(),
})

/** The shape of a record; fields that an older release's record may lack have a default. */
const record = z.object({
  jobId: z.string(),
  tenant: z.string().default(DEFAULT_TENANT),
  status,
  sourceName: z.string(),
  priority: z.number(),
  deadlineAt: z.string().nullable(),
  audioMsTotal: z.number().nullable(),
  audioMsDone: z.number(),
  checkpointedAudioMs: z.number().default(0),
  attempt: z.number(),
  fence: z.number().nullable(),
  failuresSinceProgress: z.number().default(0),
  error: jobError.nullable(),
  waiting: waiting.nullable().default(null),
  warnings: z.array(z.string()),
  engineIsStandin: z.boolean().nullable(),
  cancelRequested: z.boolean(),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
  reachedAtMs: z.partialRecord(status, z.number()),
})

const event = z.discriminatedUnion('type', [
  z.object({ type: z.literal('status'), status, error: jobError.nullable() }),
  z.object({ type: z.literal('progress'), audioMsDone: z.number(), audioMsTotal: z.number() }),
  z.object({
    type: z.literal('text'),
    channel: z.number().nullable(),
    endMs: z.number(),
    text: z.string(),
  }),
])

/** Names that an older release had for fields; read until its records have expired. */
const FORMER_NAMES: Readonly<Record<string, string>> = {
  attempt: 'attempts',
  failuresSinceProgress: 'triesSinceProgress',
}

/** Hash field under which the time of reaching a status is kept. */
export const reachedField = (name: string) => `reached:${name}`

/** The fields of a Redis hash, each value as JSON. */
export function encodeFields(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)]),
  )
}

/** Decodes a record from its hash; null where it is missing or of another release's shape. */
export function decodeRecord(hash: Readonly<Record<string, string>>): JobRecord | null {
  const values: Record<string, unknown> = {}
  const reachedAtMs: Record<string, unknown> = {}
  for (const [name, json] of Object.entries(hash)) {
    const reached = JOB_STATUSES.find((entry) => reachedField(entry) === name)
    if (reached) reachedAtMs[reached] = jsonValue(json)
    else values[name] = jsonValue(json)
  }
  for (const [name, former] of Object.entries(FORMER_NAMES)) values[name] ??= values[former]
  const parsed = record.safeParse({ ...values, reachedAtMs })
  return parsed.success ? parsed.data : null
}

/** Decodes an event from its stream entry; null where its shape is unknown. */
export function decodeEvent(json: string): JobEvent | null {
  const parsed = event.safeParse(jsonValue(json))
  return parsed.success ? parsed.data : null
}
