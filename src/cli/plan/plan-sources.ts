import { join } from 'node:path'
import { InputError } from '../../kernel/errors.js'
import type { CommandContext } from '../command-context.js'
import { readCsv } from './plan-csv.js'
import { listRecordings } from './plan-listing.js'
import type { PlanOptions } from './plan-options.js'
import { type Probed, probeLengths, type Unprobed } from './plan-probe.js'
import { type OpenJob, openJobsOf } from './plan-queue.js'
import type { PlanRecording } from './plan-recording.js'

/** Lanes assumed for a recording that is to be split and whose channels aren't known. */
const SPLIT_LANES = 2
/** Progress is printed each time this many durations have been read. */
const TELL_EVERY = 250

/** The recordings of a plan. */
export interface PlanSources {
  /** For people: `the queue`, the argument, or the file. */
  readonly from: string
  readonly recordings: readonly PlanRecording[]
  /** Sentences on what was assumed. */
  readonly notes: readonly string[]
  /** Sentences on files that are no recordings. */
  readonly unreadable: readonly string[]
}

/**
 * Finds the recordings of a plan: from a file of durations, from the given sources, or from the
 * queue.
 * @throws InputError naming file or argument; what storage throws; the signal's reason
 */
export async function planSources(
  context: CommandContext,
  sources: readonly string[],
  options: PlanOptions,
  { signal }: { signal: AbortSignal },
): Promise<PlanSources> {
  const { csv } = options
  if (csv !== null && sources.length > 0) {
    const sentence = '--csv takes the place of a source; give one of them.'
    throw new InputError('input_unsupported', sentence)
  }
  if (csv !== null) return await fromCsv(context, csv, options)
  if (sources.length > 0) return await fromListing(context, sources, options, { signal })
  return await fromQueue(context, { signal })
}

async function fromCsv(
  { cwd, clock }: CommandContext,
  csv: string,
  { channels, pace }: PlanOptions,
): Promise<PlanSources> {
  const path = csv.startsWith('/') ? csv : join(cwd, csv)
  const lanes = channels === 'split' ? SPLIT_LANES : 1
  const recordings = await readCsv(path, { pace, lanes, nowMs: clock.wallMs() })
  const notes = channels === 'split' ? [SPLIT_NOTE] : []
  return { from: csv, recordings, notes, unreadable: [] }
}

async function fromListing(
  context: CommandContext,
  sources: readonly string[],
  { channels, pace }: PlanOptions,
  { signal }: { signal: AbortSignal },
): Promise<PlanSources> {
  const listed: Unprobed[] = []
  for (const source of sources) listed.push(...(await listRecordings(context, source, { signal })))
  const found = await lengthsOf(context, listed, { signal })
  const waiting = { pace, priority: 0, deadlineMs: null, isRunning: false, doneMs: 0 }
  const recordings = listed.flatMap(({ name }, index) => {
    const recording = { ...waiting, id: `${index + 1}`, name }
    return withLength(recording, found[index], channels === 'split')
  })
  return { from: sources.join(', '), recordings, ...told(found, channels === 'split') }
}

async function fromQueue(
  context: CommandContext,
  { signal }: { signal: AbortSignal },
): Promise<PlanSources> {
  const notes: string[] = []
  const note = (sentence: string) => void notes.push(sentence)
  const jobs = await openJobsOf(context, { signal, note })
  const unknown = jobs.filter(({ analysis }) => analysis === null)
  const found = await lengthsOf(
    context,
    unknown.map(({ source }) => source),
    { signal },
  )
  const lengths = new Map(unknown.map(({ recording }, index) => [recording.id, found[index]]))
  const recordings = jobs.flatMap((job) => {
    return (
      analysedRecording(job) ??
      withLength(job.recording, lengths.get(job.recording.id), job.isSplit)
    )
  })
  const about = told(
    found,
    unknown.some(({ isSplit }) => isSplit),
  )
  return { from: 'the queue', recordings, ...about, notes: [...notes, ...about.notes] }
}

/** The recording of a job whose analysis is done; null before that. */
function analysedRecording({ recording, analysis }: OpenJob): PlanRecording | null {
  if (analysis === null) return null
  const lanes = analysis.lanes.map(({ pauses_ms }) => ({ pausesMs: [...pauses_ms] }))
  return { ...recording, durationMs: analysis.duration_ms, lengthFrom: 'decoded', lanes }
}

function withLength(
  recording: OpenJob['recording'],
  length: Probed | undefined,
  isSplit: boolean,
): PlanRecording[] {
  if (length === undefined || length.kind === 'unreadable') return []
  const count = isSplit ? (length.channels ?? SPLIT_LANES) : 1
  const lanes = Array.from({ length: count }, () => ({ pausesMs: null }))
  const lengthFrom = length.kind === 'stated' ? 'header' : 'size'
  return [{ ...recording, durationMs: length.durationMs, lengthFrom, lanes }]
}

async function lengthsOf(
  { settings, clock, random, terminal }: CommandContext,
  sources: readonly Unprobed[],
  { signal }: { signal: AbortSignal },
): Promise<Probed[]> {
  const onProbed = (done: number) => {
    if (done % TELL_EVERY !== 0) return
    terminal.err(`Read the lengths of ${done} of ${sources.length} recordings.`)
  }
  return await probeLengths(sources, { settings, clock, random, onProbed }, { signal })
}

/** Sentences on durations that were guessed, and on files that are no recordings. */
function told(
  found: readonly Probed[],
  isSplit: boolean,
): Pick<PlanSources, 'notes' | 'unreadable'> {
  const guessed = found.filter(({ kind }) => kind === 'guessed').length
  const notes: string[] = []
  if (guessed > 0) {
    const those = guessed === 1 ? '1 length is' : `${guessed} lengths are`
    notes.push(`${those} guessed from the size of the file, of ${found.length} looked for.`)
  }
  const isUnsure = found.some((each) => each.kind === 'guessed' && each.channels === null)
  if (isSplit && isUnsure) notes.push(SPLIT_NOTE)
  const unreadable = found.flatMap((each) => (each.kind === 'unreadable' ? [each.sentence] : []))
  return { notes, unreadable }
}

const SPLIT_NOTE = `A recording whose channels are not known is taken for one with ${SPLIT_LANES}.`
