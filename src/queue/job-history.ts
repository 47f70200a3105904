import { z } from 'zod'
import { jobError } from './job-error.js'
import { jsonValue } from './json-value.js'

/** Entries that are kept of a job; the oldest go first. */
export const HISTORY_ENTRIES_MAX = 20

/** One thing that happened to a job, for `jobs show`. Times of audio are sums over all lanes. */
export const jobHistoryEntry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('submitted') }),
  /** Somebody started it again after it had ended. */
  z.object({ kind: z.literal('retried') }),
  /** The queue had lost it, and it was found in storage. */
  z.object({ kind: z.literal('found') }),
  /** It waits for room; noted when the wait begins. */
  z.object({ kind: z.literal('waiting'), reason: z.string() }),
  /** A try has its sessions. `engines` are hosts with ports, of each lane's first leg. */
  z.object({
    kind: z.literal('admitted'),
    fence: z.int(),
    engines: z.array(z.string()),
    checkpointedAudioMs: z.number(),
  }),
  /** Sessions broke, so many in a row, and their legs are carried again within the same try. */
  z.object({
    kind: z.literal('session-broke'),
    engine: z.string(),
    code: z.string(),
    times: z.int().min(1),
  }),
  /** Sessions were given up, so many in a row, so that the others of a full engine could go on. */
  z.object({ kind: z.literal('session-freed'), engine: z.string(), times: z.int().min(1) }),
  /** A try failed, and another follows. `tries`: those in vain since audio was last made safe. */
  z.object({
    kind: z.literal('try-failed'),
    error: jobError,
    tries: z.int(),
    backoffMs: z.number(),
    checkpointedAudioMs: z.number(),
  }),
  /** Its worker died, so many times since audio was last made safe; another one goes on. */
  z.object({ kind: z.literal('taken-over'), takeovers: z.int(), checkpointedAudioMs: z.number() }),
  /** Its worker was told to stop and gave it back. */
  z.object({ kind: z.literal('handed-back') }),
  z.object({ kind: z.literal('canceled') }),
  /** It ended without a transcript. */
  z.object({ kind: z.literal('failed'), error: jobError, tries: z.int() }),
])

/** See `jobNote`. */
export type JobHistoryEntry = z.infer<typeof jobHistoryEntry>

const datedHistoryEntry = z.object({ atMs: z.number(), note: jobHistoryEntry })

/** A note with the time at which it was written, ms of the Unix epoch. */
export type DatedHistoryEntry = z.infer<typeof datedHistoryEntry>

/**
 * The one note that stands for the last one and for this: the same trouble once more. Without it a
 * bad night's sessions would push all else out of the history.
 *
 * @returns null where both are to be told
 */
export function mergedEntry(
  last: JobHistoryEntry | null,
  note: JobHistoryEntry,
): JobHistoryEntry | null {
  if (last?.kind === 'session-freed' && note.kind === 'session-freed') {
    return last.engine === note.engine ? { ...note, times: last.times + note.times } : null
  }
  if (last?.kind !== 'session-broke' || note.kind !== 'session-broke') return null
  if (last.engine !== note.engine || last.code !== note.code) return null
  return { ...note, times: last.times + note.times }
}

/** Notes out of their list; such of an unknown shape (another release's) are left out. */
export function decodeHistory(entries: readonly string[]): DatedHistoryEntry[] {
  return entries.flatMap((json) => {
    const parsed = datedHistoryEntry.safeParse(jsonValue(json))
    return parsed.success ? [parsed.data] : []
  })
}
