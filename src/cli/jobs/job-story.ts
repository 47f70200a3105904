import { printable } from '../../app/printable.js'
import { adviceOn, FAILURE_CODES } from '../../queue/failure-codes.js'
import { type DatedNote, isFinal, type JobCard, type JobWaiting } from '../../queue/index.js'
import type { ManifestDocument } from '../../storage/documents/manifest-document.js'
import { clockText } from '../terminal.js'
import { audioText, historyLines, ordinal, stampText } from './history-text.js'
import { warningText } from './warning-text.js'

const DAY_MS = 24 * 3_600_000

/** What is known of a job: its card, what happened to it, and its commit, if it has one. */
export interface ToldJob {
  card: JobCard
  history: readonly DatedNote[]
  manifest: ManifestDocument | null
}

/** What happened to a job, as a person would tell it: one line a fact. Pure. */
export function jobStory(
  { card, history, manifest }: ToldJob,
  options: { location: string; nowMs: number },
): string[] {
  const { audioMsTotal } = card
  const happened = historyLines(history, { nowMs: options.nowMs, audioMsTotal })
  return [
    printable(card.sourceName),
    `Job ${card.jobId} ${headline(card)}`,
    ...amounts(card),
    ...(card.waiting ? [`There is no room for it: ${printable(card.waiting.reason)}`] : []),
    ...(happened.length > 0 ? ['', ...happened.map((line) => `  ${line}`)] : []),
    ...(card.status === 'completed' ? [`  ${doneLine(card, options.nowMs, history)}`] : []),
    ...paragraph([...failure(card), ...remarks(card)]),
    ...paragraph((manifest?.outputs ?? []).map(({ key }) => `  ${options.location}/${key}`)),
  ]
}

function paragraph(lines: readonly string[]): string[] {
  return lines.length > 0 ? ['', ...lines] : []
}

function amounts({ status, audioMsTotal, audioMsDone, checkpointedAudioMs }: JobCard): string[] {
  if (audioMsTotal === null) return []
  const long = `The recording is ${clockText(audioMsTotal)} long`
  if (status === 'completed') return [`${long}.`]
  const safe =
    checkpointedAudioMs > 0 ? `, and ${audioText(checkpointedAudioMs, audioMsTotal)} is safe` : ''
  return [`${long}; ${clockText(audioMsDone)} of it is transcribed${safe}.`]
}

function doneLine(
  { reachedAtMs, createdAtMs }: JobCard,
  nowMs: number,
  history: readonly DatedNote[],
): string {
  const doneAtMs = reachedAtMs.completed ?? nowMs
  const fromMs = history[0]?.atMs ?? createdAtMs
  return `${stampText(doneAtMs, nowMs - fromMs >= DAY_MS)}  done`
}

function failure({ status, jobId, error, checkpointedAudioMs, audioMsTotal }: JobCard): string[] {
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

function remarks(card: JobCard): string[] {
  const lines = card.warnings.map((warning) => `Warning: ${warningText(printable(warning))}`)
  if (card.cancelRequested && !isFinal(card.status)) lines.push('A cancel was requested.')
  if (card.engineIsStandin) lines.push('Transcribed by the stand-in engine, not by a real one.')
  return lines
}

/** `waits for room, 3rd in line, expected at 02:40`; with the date where that is a day ahead. */
export function waitingText(waiting: JobWaiting, nowMs: number): string {
  const { place, expectedStartAtMs } = waiting
  const parts = ['waits for room']
  if (place !== null) parts.push(`${ordinal(place)} in line`)
  if (expectedStartAtMs !== null) parts.push(`expected ${timeText(expectedStartAtMs, nowMs)}`)
  return parts.join(', ')
}

/**
 * `at 02:40`, with the date where that is a day ahead or more; in the time zone of who reads it.
 */
export function timeText(atMs: number, nowMs: number): string {
  const at = new Date(atMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = `at ${two(at.getHours())}:${two(at.getMinutes())}`
  if (Math.abs(atMs - nowMs) < DAY_MS) return time
  return `on ${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}

function headline(card: JobCard): string {
  switch (card.status) {
    case 'created':
    case 'probing':
      return 'is being read.'
    case 'queued':
      if (card.waiting) return `${waitingText(card.waiting, card.updatedAtMs)}.`
      return card.error ? 'waits for its next try.' : 'waits for a worker.'
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
