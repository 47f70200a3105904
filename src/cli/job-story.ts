import type { JobCard } from '../queue/index.js'
import type { ManifestDocument } from '../storage/manifest-document.js'
import { clockText, printable } from './terminal.js'

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

function headline(card: JobCard): string {
  switch (card.status) {
    case 'created':
    case 'probing':
      return 'is being read.'
    case 'queued':
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
