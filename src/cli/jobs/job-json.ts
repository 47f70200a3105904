import { isoTime } from '../../kernel/clock.js'
import { adviceOn, FAILURE_CODES } from '../../queue/failure-codes.js'
import type { DatedNote, JobCard, JobError, JobWaiting } from '../../queue/index.js'

/** A job as it stands in `--json`; a field that isn't known is null. */
export function jobJson(card: JobCard): object {
  return {
    id: card.jobId,
    object: 'transcription.job',
    status: card.status,
    source: card.sourceName,
    priority: card.priority,
    deadline_at: card.deadlineAt,
    created_at: isoTime(card.createdAtMs),
    updated_at: isoTime(card.updatedAtMs),
    progress: {
      audio_ms_done: card.audioMsDone,
      audio_ms_total: card.audioMsTotal,
      audio_ms_checkpointed: card.checkpointedAudioMs,
    },
    attempts: card.attempts,
    fence: card.fence,
    tries_since_progress: card.triesSinceProgress,
    error: card.error && errorJson(card.error, card.jobId),
    waiting: card.waiting && waitingJson(card.waiting),
    warnings: card.warnings,
    engine_is_standin: card.engineIsStandin,
    cancel_requested: card.cancelRequested,
    timestamps: Object.fromEntries(
      Object.entries(card.reachedAtMs).map(([name, atMs]) => [name, isoTime(atMs)]),
    ),
  }
}

/** What happened to a job, oldest first: `{at, kind, ...}`. */
export function historyJson(history: readonly DatedNote[], jobId: string): object[] {
  return history.map(({ atMs, note }) => {
    const fields = Object.entries(note).map(([name, value]) =>
      name === 'error'
        ? [name, errorJson(value as JobError, jobId)]
        : [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value],
    )
    return { at: isoTime(atMs), ...Object.fromEntries(fields) }
  })
}

function errorJson(error: JobError, jobId: string): object {
  const { title } = FAILURE_CODES[error.code] ?? FAILURE_CODES.internal
  return { ...error, title, advice: adviceOn(error.code, jobId) }
}

function waitingJson({ place, expectedStartAtMs, reason }: JobWaiting): object {
  const expectedStartAt = expectedStartAtMs === null ? null : isoTime(expectedStartAtMs)
  return { place, expected_start_at: expectedStartAt, reason }
}
