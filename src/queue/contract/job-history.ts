import { z } from 'zod'
import { jobError } from './job-error.js'
import { jsonValue } from './json-value.js'

/** Entries that are kept of a job's history; the oldest are dropped first. */
export const HISTORY_ENTRIES_MAX = 20

/** One thing that happened to a job, for people. Times of audio are sums over all lanes. */
export const jobHistoryEntry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('submitted') }),
  /** A user started the job again after it had ended. */
  z.object({ kind: z.literal('retried') }),
  /** The queue had lost the job, and it was found in storage and queued again. */
  z.object({ kind: z.literal('found') }),
  /** The job waits for room; written once, when the wait begins. */
  z.object({ kind: z.literal('waiting'), reason: z.string() }),
  /** An attempt has its sessions. `engines` are hosts with ports, of each lane's first leg. */
  z.object({
    kind: z.literal('admitted'),
    attempt: z.int(),
    engines: z.array(z.string()),
    checkpointedAudioMs: z.number(),
  }),
  /** `times` sessions broke in a row; their legs are replayed within the same attempt. */
  z.object({
    kind: z.literal('session-broke'),
    engine: z.string(),
    code: z.string(),
    times: z.int().min(1),
  }),
  /** `times` sessions in a row were evicted, so that the others of a full engine could go on. */
  z.object({ kind: z.literal('session-evicted'), engine: z.string(), times: z.int().min(1) }),
  /** An attempt failed, and another follows. */
  z.object({
    kind: z.literal('attempt-failed'),
    error: jobError,
    failuresSinceProgress: z.int(),
    backoffMs: z.number(),
    checkpointedAudioMs: z.number(),
  }),
  /** Its worker died, the `takeovers`th since audio was last made safe; another one continues. */
  z.object({ kind: z.literal('taken-over'), takeovers: z.int(), checkpointedAudioMs: z.number() }),
  /** Its worker was told to stop, and gave the job back. */
  z.object({ kind: z.literal('handed-back') }),
  z.object({ kind: z.literal('canceled') }),
  /** The job ended without a transcript. */
  z.object({ kind: z.literal('failed'), error: jobError, failuresSinceProgress: z.int() }),
])

/** See `jobHistoryEntry`. */
export type JobHistoryEntry = z.infer<typeof jobHistoryEntry>

const datedHistoryEntry = z.object({ atMs: z.number(), entry: jobHistoryEntry })

/** An entry with the time at which it was written, ms of the Unix epoch. */
export type DatedHistoryEntry = z.infer<typeof datedHistoryEntry>

/**
 * One entry in place of two that tell of the same failure. Without it the broken sessions of one
 * bad night would push all other entries out of the history.
 *
 * @returns null where the two tell of different things, and both are kept
 */
export function mergedEntry(
  last: JobHistoryEntry | null,
  entry: JobHistoryEntry,
): JobHistoryEntry | null {
  if (last?.kind === 'session-evicted' && entry.kind === 'session-evicted') {
    return last.engine === entry.engine ? { ...entry, times: last.times + entry.times } : null
  }
  if (last?.kind !== 'session-broke' || entry.kind !== 'session-broke') return null
  if (last.engine !== entry.engine || last.code !== entry.code) return null
  return { ...entry, times: last.times + entry.times }
}

/** Decodes the entries of a list; those of an unknown shape (another release's) are left out. */
export function decodeHistory(entries: readonly string[]): DatedHistoryEntry[] {
  return entries.flatMap((json) => {
    const parsed = datedHistoryEntry.safeParse(inNewNames(jsonValue(json)))
    return parsed.success ? [parsed.data] : []
  })
}

/** Names of an older release; read until its entries have expired (`queue.recordsKeptMs`). */
const FORMER_NAMES: Readonly<Record<string, string>> = {
  fence: 'attempt',
  tries: 'failuresSinceProgress',
  safeAudioMs: 'checkpointedAudioMs',
}
const FORMER_KINDS: Readonly<Record<string, string>> = {
  'session-freed': 'session-evicted',
  'try-failed': 'attempt-failed',
}

/** An entry of an older release with the current names; anything else unchanged. */
function inNewNames(stored: unknown): unknown {
  const { atMs, note } = (stored ?? {}) as { atMs?: unknown; note?: unknown }
  if (typeof note !== 'object' || note === null) return stored
  const fields = Object.entries(note).map(([name, value]) => [FORMER_NAMES[name] ?? name, value])
  const entry = Object.fromEntries(fields) as { kind?: string }
  return { atMs, entry: { ...entry, kind: FORMER_KINDS[entry.kind ?? ''] ?? entry.kind } }
}
