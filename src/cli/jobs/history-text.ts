import { printable } from '../../app/printable.js'
import type { ErrorCode } from '../../kernel/errors.js'
import { FAILURE_CODES } from '../../queue/contract/failure-codes.js'
import { HISTORY_ENTRIES_MAX } from '../../queue/contract/job-history.js'
import type { DatedHistoryEntry, JobHistoryEntry, StreamedEvent } from '../../queue/index.js'
import { clockText } from '../terminal.js'

const DAY_MS = 24 * 3_600_000

/** What happened to a job, oldest first: one line per event, in the reader's time zone. Pure. */
export function historyLines(
  history: readonly DatedHistoryEntry[],
  options: { nowMs: number; audioMsTotal: number | null },
): string[] {
  const [first] = history
  if (!first) return []
  const isFull = history.length >= HISTORY_ENTRIES_MAX && first.entry.kind !== 'submitted'
  const withDate = options.nowMs - first.atMs >= DAY_MS
  return [
    ...(isFull ? ['…  what was before is no longer kept'] : []),
    ...history.map(({ atMs, entry }) => {
      return `${stampText(atMs, withDate)}  ${entryText(entry, options.audioMsTotal)}`
    }),
  ]
}

/** `21:04:11`, or `2026-11-20 21:04:11`, in the reader's time zone. */
export function stampText(atMs: number, withDate: boolean): string {
  const at = new Date(atMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
  if (!withDate) return time
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}

/** `7:01 of audio`; says that it is a sum over channels where it exceeds the recording's length. */
export function audioText(audioMs: number, audioMsTotal: number | null): string {
  const isSum = audioMsTotal !== null && audioMs > audioMsTotal
  return `${clockText(audioMs)} of audio${isSum ? ' (all channels together)' : ''}`
}

/** `3rd` for 3. */
export function ordinal(place: number): string {
  const teens = place % 100 >= 11 && place % 100 <= 13
  const ending = teens ? 'th' : (['th', 'st', 'nd', 'rd'][place % 10] ?? 'th')
  return `${place}${ending}`
}

/** `40 s`, `5 min` or `2 h`. */
export function roughText(durationMs: number): string {
  if (durationMs < 90_000) return `${Math.ceil(durationMs / 1000)} s`
  if (durationMs < 90 * 60_000) return `${Math.round(durationMs / 60_000)} min`
  return `${Math.round(durationMs / 3_600_000)} h`
}

/** One line of a job's event stream. */
export function eventLine({ atMs, event }: StreamedEvent, nowMs: number): string {
  const stamp = stampText(atMs, nowMs - atMs >= DAY_MS)
  switch (event.type) {
    case 'status': {
      const why = event.error ? `: ${printable(event.error.detail)} [${event.error.code}]` : ''
      return `${stamp}  ${event.status}${why}`
    }
    case 'progress':
      return `${stamp}  ${clockText(event.audioMsDone)} of ${clockText(event.audioMsTotal)}`
    case 'text': {
      const channel = event.channel === null ? '' : ` [channel ${event.channel + 1}]`
      return `${stamp}  ${clockText(event.endMs)}${channel} ${printable(event.text).trim()}`
    }
  }
}

function entryText(entry: JobHistoryEntry, audioMsTotal: number | null): string {
  const audio = (ms: number) => audioText(ms, audioMsTotal)
  switch (entry.kind) {
    case 'submitted':
      return 'submitted'
    case 'retried':
      return 'started again by hand'
    case 'found':
      return 'Redis had lost it; found in storage and queued again'
    case 'waiting':
      return `waited for room: ${printable(entry.reason)}`
    case 'admitted': {
      const where =
        entry.engines.length > 0 ? `, on ${entry.engines.map(printable).join(' and ')}` : ''
      return entry.checkpointedAudioMs > 0
        ? `attempt ${entry.attempt} went on after ${audio(entry.checkpointedAudioMs)}${where}`
        : `attempt ${entry.attempt} began${where}`
    }
    case 'session-broke': {
      return `lost ${sessionsText(entry.times)} on ${printable(entry.engine)}: ${reasonText(entry.code)}`
    }
    case 'session-evicted': {
      return `gave up ${sessionsText(entry.times)} on ${printable(entry.engine)}, so that the others there could go on`
    }
    case 'attempt-failed': {
      const { detail, code } = entry.error
      const how = `failed${againText(entry.failuresSinceProgress)}: ${printable(detail)} [${code}]`
      return `${how} To be tried again after ${roughText(entry.backoffMs)}`
    }
    case 'taken-over': {
      const rest =
        entry.checkpointedAudioMs > 0 ? `, with ${audio(entry.checkpointedAudioMs)} safe` : ''
      return `its worker was lost${againText(entry.takeovers)}; another one took it over${rest}`
    }
    case 'handed-back':
      return 'its worker was stopped and handed it back'
    case 'canceled':
      return 'canceled'
    case 'failed': {
      const times = entry.failuresSinceProgress
      const how = times > 1 ? `gave up after ${times} failures without progress` : 'failed'
      return `${how}: ${reasonText(entry.error.code)}`
    }
  }
}

function sessionsText(count: number): string {
  return count === 1 ? 'a session' : `${count} sessions`
}

/** For events that repeated without a checkpoint in between; empty for the first one. */
function againText(times: number): string {
  return times > 1 ? `, the ${ordinal(times)} time without progress` : ''
}

/**
 * `the engine fell silent [session_stalled]`; the code alone where this release doesn't know it.
 */
function reasonText(code: string): string {
  const title = FAILURE_CODES[code as ErrorCode]?.title
  if (title === undefined) return `[${printable(code)}]`
  return `${title.charAt(0).toLowerCase()}${title.slice(1)} [${code}]`
}
