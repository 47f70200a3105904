import type { JobCard, JobWaiting } from '../queue/index.js'
import type { ManifestDocument } from '../storage/manifest-document.js'
import { clockText, printable } from './terminal.js'

const DAY_MS = 24 * 3_600_000

/** What happened to a job, as a person would tell it: one line a fact. Pure. */
export function jobStory(
  card: JobCard,
  manifest: ManifestDocument | null,
  options: { location: string; nowMs: number },
): string[] {
  const lines = [`${printable(card.sourceName)}`, `Job ${card.jobId}, ${headline(card)}`]
  if (card.audioMsTotal !== null) {
    lines.push(
      `The recording is ${clockText(card.audioMsTotal)} long; ${clockText(card.audioMsDone)} of it is transcribed.`,
    )
  }
  const { created, completed, failed, canceled } = card.reachedAtMs
  if (created !== undefined) lines.push(`Submitted ${ago(options.nowMs - created)}.`)
  const endedMs = completed ?? failed ?? canceled
  if (created !== undefined && endedMs !== undefined) {
    lines.push(`Ended ${clockText(endedMs - created)} (h:mm:ss) later.`)
  }
  if (card.waiting) lines.push(`There is no room for it: ${printable(card.waiting.reason)}`)
  if (card.attempts > 1) lines.push(`This is try ${card.attempts}.`)
  if (card.error) {
    const what = card.status === 'failed' ? 'It failed' : 'Its last try failed'
    lines.push(
      `${what} while it was to ${card.error.stage}: ${card.error.detail} [${card.error.code}]`,
    )
  }
  if (card.cancelRequested && card.status !== 'canceled') lines.push('A cancel was requested.')
  for (const warning of card.warnings) lines.push(`Warning: ${warning}`)
  if (card.engineIsStandin) lines.push('Transcribed by the stand-in engine, not by a real one.')
  for (const output of manifest?.outputs ?? []) lines.push(`  ${options.location}/${output.key}`)
  if (card.status === 'failed' || card.status === 'canceled') {
    lines.push(`\`nightscribe jobs retry ${card.jobId}\` starts it again.`)
  }
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

function ordinal(place: number): string {
  const teens = place % 100 >= 11 && place % 100 <= 13
  const ending = teens ? 'th' : (['th', 'st', 'nd', 'rd'][place % 10] ?? 'th')
  return `${place}${ending}`
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

function ago(durationMs: number): string {
  if (durationMs < 90_000) return `${Math.round(durationMs / 1000)} s ago`
  if (durationMs < 90 * 60_000) return `${Math.round(durationMs / 60_000)} min ago`
  return `${Math.round(durationMs / 3_600_000)} h ago`
}
