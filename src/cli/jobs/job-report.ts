import { printable } from '../../app/printable.js'
import { adviceOn, FAILURE_CODES } from '../../queue/contract/failure-codes.js'
import { isFinal } from '../../queue/contract/job-status.js'
import type { DatedHistoryEntry, JobRecord, JobWaiting } from '../../queue/index.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import { clockText } from '../terminal.js'
import { audioText, historyLines, ordinal, stampText } from './history-text.js'
import { warningText } from './warning-text.js'

const DAY_MS = 24 * 3_600_000

/**
 * All that is known about a job: its record, its history, and its manifest once it is committed.
 */
export interface ToldJob {
  record: JobRecord
  history: readonly DatedHistoryEntry[]
  manifest: ManifestDocument | null
}

/** A report on a job for people: one line per fact. Pure. */
export function jobReport(
  { record, history, manifest }: ToldJob,
  options: { location: string; nowMs: number },
): string[] {
  const { audioMsTotal } = record
  const happened = historyLines(history, { nowMs: options.nowMs, audioMsTotal })
  return [
    printable(record.sourceName),
    `Job ${record.jobId} ${headline(record)}`,
    ...amounts(record),
    ...(record.waiting ? [`There is no room for it: ${printable(record.waiting.reason)}`] : []),
    ...(happened.length > 0 ? ['', ...happened.map((line) => `  ${line}`)] : []),
    ...(record.status === 'completed' ? [`  ${doneLine(record, options.nowMs, history)}`] : []),
    ...paragraph([...failure(record), ...remarks(record)]),
    ...paragraph((manifest?.outputs ?? []).map(({ key }) => `  ${options.location}/${key}`)),
  ]
}

function paragraph(lines: readonly string[]): string[] {
  return lines.length > 0 ? ['', ...lines] : []
}

function amounts({ status, audioMsTotal, audioMsDone, checkpointedAudioMs }: JobRecord): string[] {
  if (audioMsTotal === null) return []
  const long = `The recording is ${clockText(audioMsTotal)} long`
  if (status === 'completed') return [`${long}.`]
  const safe =
    checkpointedAudioMs > 0 ? `, and ${audioText(checkpointedAudioMs, audioMsTotal)} is safe` : ''
  return [`${long}; ${clockText(audioMsDone)} of it is transcribed${safe}.`]
}

function doneLine(
  { reachedAtMs, createdAtMs }: JobRecord,
  nowMs: number,
  history: readonly DatedHistoryEntry[],
): string {
  const doneAtMs = reachedAtMs.completed ?? nowMs
  const fromMs = history[0]?.atMs ?? createdAtMs
  return `${stampText(doneAtMs, nowMs - fromMs >= DAY_MS)}  done`
}

function failure({ status, jobId, error, checkpointedAudioMs, audioMsTotal }: JobRecord): string[] {
  if (status === 'canceled') return [`\`nightscribe jobs retry ${jobId}\` starts it again.`]
  if (!error) return []
  const { title } = FAILURE_CODES[error.code] ?? FAILURE_CODES.internal
  const why = `${title}: ${printable(error.detail)} [${error.code}]`
  if (status !== 'failed') return [`Its last try failed. ${why}`]
  const safe = error.retryable && checkpointedAudioMs > 0
  return [
    why,
    adviceOn(error.code, jobId),
    ...(safe ? [`A retry goes on after ${audioText(checkpointedAudioMs, audioMsTotal)}.`] : []),
  ]
}

function remarks(record: JobRecord): string[] {
  const lines = record.warnings.map((warning) => `Warning: ${warningText(printable(warning))}`)
  if (record.cancelRequested && !isFinal(record.status)) lines.push('A cancel was requested.')
  if (record.engineIsStandin) lines.push('Transcribed by the stand-in engine, not by a real one.')
  return lines
}

/** `waits for room, 3rd in the queue, expected at 02:40`; with the date from a day ahead on. */
export function waitingText(waiting: JobWaiting, nowMs: number): string {
  const { place, expectedStartAtMs } = waiting
  const parts = ['waits for room']
  if (place !== null) parts.push(`${ordinal(place)} in the queue`)
  if (expectedStartAtMs !== null) parts.push(`expected ${timeText(expectedStartAtMs, nowMs)}`)
  return parts.join(', ')
}

/** `at 02:40` in the reader's time zone; with the date where that is a day away or more. */
export function timeText(atMs: number, nowMs: number): string {
  const at = new Date(atMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = `at ${two(at.getHours())}:${two(at.getMinutes())}`
  if (Math.abs(atMs - nowMs) < DAY_MS) return time
  return `on ${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}

function headline(record: JobRecord): string {
  switch (record.status) {
    case 'created':
    case 'probing':
      return 'is being read.'
    case 'queued':
      if (record.waiting) return `${waitingText(record.waiting, record.updatedAtMs)}.`
      return record.error ? 'waits for its next try.' : 'waits for a worker.'
    case 'admitted':
    case 'running':
      return 'is being transcribed.'
    case 'finalizing':
      return 'is writing its results.'
    case 'completed':
      return 'is done.'
    case 'failed':
      return 'has failed.'
    case 'canceled':
      return 'was canceled.'
  }
}
