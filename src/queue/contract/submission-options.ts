import { z } from 'zod'
import { InputError } from '../../kernel/errors.js'
import { DEFAULT_TENANT, isTenantName } from '../../kernel/tenant.js'

/** Highest `priority` a user may give. */
export const PRIORITY_MAX = 1000
const PACE_MIN = 0.1
const PACE_MAX = 20

/** Accepts a number or the text of one: command lines and forms give only texts. */
const numeric = (number: z.ZodNumber) =>
  z.preprocess((value) => {
    return typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  }, number)

const schema = z.object({
  /** Mix all channels, or a transcript lane for each. */
  channels: z.enum(['mix', 'split']),
  /** Multiple of real time; `max` goes as fast as the engine keeps up. */
  pace: z.union([z.literal('max'), numeric(z.number().min(PACE_MIN).max(PACE_MAX))]),
  /** Higher goes first. */
  priority: numeric(z.int().min(0).max(PRIORITY_MAX)),
  /** When the transcript is wanted, ISO 8601 in UTC; null for no deadline. */
  deadlineAt: z.iso.datetime().nullable(),
  tenant: z.string().refine(isTenantName),
})

/** How a recording shall be transcribed, for whom, and by when. */
export type SubmissionOptions = z.infer<typeof schema>

/** The name of one submission option. */
export type SubmissionOption = keyof SubmissionOptions

/** The values that an option takes, as the middle of an error sentence. */
const TAKES: Readonly<Record<SubmissionOption, string>> = {
  channels: 'mix or split',
  pace: `a number from ${PACE_MIN} to ${PACE_MAX}, or max`,
  priority: `a whole number from 0 to ${PRIORITY_MAX}`,
  deadlineAt: 'a time such as 06:00 or 2026-11-22T06:00',
  tenant: '1 to 40 of a-z, 0-9 and -',
}

/** Values of options that are left out. */
export const SUBMISSION_DEFAULTS: SubmissionOptions = {
  channels: 'mix',
  pace: 1,
  priority: 0,
  deadlineAt: null,
  tenant: DEFAULT_TENANT,
}

/** Names of the options in one interface (command line, form), for its error sentences. */
export type OptionNames = Readonly<Record<SubmissionOption, string>>

/** Names on the command line, which has no option for the tenant. */
export const COMMAND_LINE_NAMES: OptionNames = {
  channels: '--channels',
  pace: '--pace',
  priority: '--priority',
  deadlineAt: '--by',
  tenant: 'tenant',
}

/** Names of the fields of a form or a document. @param prefix such as `options.` */
export function fieldNames(prefix = ''): OptionNames {
  return {
    channels: `${prefix}channels`,
    pace: `${prefix}pace`,
    priority: `${prefix}priority`,
    deadlineAt: `${prefix}deadline_at`,
    tenant: `${prefix}tenant`,
  }
}

/**
 * Parses the options of a submission, given as values or as texts of them. A deadline that is a
 * time of day means the next time that the local clock shows it.
 *
 * @param raw options that are undefined or missing are taken from `SUBMISSION_DEFAULTS`
 * @throws InputError with a sentence for each option that is wrong, which uses its name in `names`
 */
export function parseSubmission(
  raw: Partial<Record<SubmissionOption, unknown>>,
  { names, nowMs }: { names: OptionNames; nowMs: number },
): SubmissionOptions {
  const given = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined))
  const all: Record<SubmissionOption, unknown> = { ...SUBMISSION_DEFAULTS, ...given }
  const { deadlineAt } = all
  const dueAt = typeof deadlineAt === 'string' ? deadlineOf(deadlineAt, nowMs) : deadlineAt
  const parsed = schema.safeParse({ ...all, deadlineAt: dueAt ?? deadlineAt })
  if (parsed.success) return parsed.data
  const wrong = new Set(parsed.error.issues.map(({ path }) => path[0] as SubmissionOption))
  const sentences = [...wrong].map((option) => {
    const value = all[option]
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${names[option]} takes ${TAKES[option]}, not "${text}".`
  })
  throw new InputError('input_unsupported', sentences.join(' '))
}

/**
 * ISO 8601 of `06:00`, the next time that the local clock shows it, or of an ISO date and time;
 * null for anything else.
 */
export function deadlineOf(text: string, nowMs: number): string | null {
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? []
  if (hours !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    const due = new Date(nowMs)
    due.setHours(Number(hours), Number(minutes), 0, 0)
    if (due.getTime() <= nowMs) due.setDate(due.getDate() + 1)
    return due.toISOString()
  }
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isFinite(atMs) ? new Date(atMs).toISOString() : null
}
