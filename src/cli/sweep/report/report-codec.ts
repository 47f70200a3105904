import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError, reasonOf, systemCode } from '../../../kernel/errors.js'
import type { ComparedReport } from '../../../planning/sweep/compare.js'

const figure = z.number().nullable()
const shares = { avg: z.number(), p50: z.number(), p95: z.number(), p99: z.number() }
const spread = z.object({ ...shares, max: z.number(), worst_session: z.int() }).nullable()

const engine = z.object({
  url: z.string(),
  model: z.string(),
  version: z.string().nullable(),
  is_standin: z.boolean(),
  gpu: z.string().nullable(),
})

const load = z.object({
  seconds: z.number(),
  pace: z.number(),
  sla_ms: z.number(),
  limiter: z.string(),
  audio: z.object({ name: z.string(), duration_ms: z.number(), speech_share: z.number() }),
})

const kv = z.object({
  blocks_max: figure,
  usage_peak: figure,
  measured_peak_blocks: figure,
  predicted_peak_blocks: figure,
  error_blocks_p50: figure,
  error_blocks_max: figure,
})

const step = z.object({
  sessions: z.int(),
  verdict: z.enum(['holds', 'fails', 'unclear']),
  first_delta_ms: spread.default(null), // reports of older releases have none
  ttft_ms: spread,
  delta_lag_ms: spread,
  finalization_ms: spread,
  sender_slip_ms: spread,
  deltas_per_second: z.object({ ...shares, max: z.number() }).nullable(),
  x_realtime: figure,
  kv,
})

const report: z.ZodType<ComparedReport> = z.object({
  schema: z.literal('nightscribe.sweep/1'),
  sweep_id: z.string(),
  started_at: z.string(),
  engine,
  load,
  result: z.object({ highest_held: figure }),
  steps: z.array(step),
})

/**
 * Reads the part of a sweep's report that a comparison needs.
 * @param path of `report.json`, or of the folder that contains it
 * @throws InputError naming the file
 */
export async function readSweepReport(path: string): Promise<ComparedReport> {
  const found = await stat(path).catch((cause) => {
    throw unreadable(path, cause)
  })
  const file = found.isDirectory() ? join(path, 'report.json') : path
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw unreadable(file, cause)
  })
  const parsed = report.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  throw new InputError(
    'input_unsupported',
    `${file} is no report of a sweep (schema nightscribe.sweep/1); give two of them, or their folders.`,
    { cause: parsed.error },
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // no JSON: refused by the schema, with its sentence
  }
}

function unreadable(path: string, cause: unknown): InputError {
  if (systemCode(cause) === 'ENOENT') {
    return new InputError('input_not_found', `There is no ${path}.`, { cause })
  }
  return new InputError('input_forbidden', `${path} can't be read: ${reasonOf(cause)}.`, { cause })
}
