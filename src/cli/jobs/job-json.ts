import { isoTime } from '../../kernel/clock.js'
import { adviceOn, FAILURE_CODES } from '../../queue/failure-codes.js'
import type { DatedNote, JobError, JobRecord, JobWaiting } from '../../queue/index.js'

/** A job as it stands in `--json`; a field that isn't known is null. */
export function jobJson(record: JobRecord): object {
  return {
    id: record.jobId,
    object: 'transcription.job',
    status: record.status,
    source: record.sourceName,
    priority: record.priority,
    deadline_at: record.deadlineAt,
    created_at: isoTime(record.createdAtMs),
    updated_at: isoTime(record.updatedAtMs),
    progress: {
      audio_ms_done: record.audioMsDone,
      audio_ms_total: record.audioMsTotal,
      audio_ms_checkpointed: record.checkpointedAudioMs,
    },
    attempts: record.attempts,
    fence: record.fence,
    tries_since_progress: record.triesSinceProgress,
    error: record.error && errorJson(record.error, record.jobId),
    waiting: record.waiting && waitingJson(record.waiting),
    warnings: record.warnings,
    engine_is_standin: record.engineIsStandin,
    cancel_requested: record.cancelRequested,
    timestamps: Object.fromEntries(
      Object.entries(record.reachedAtMs).map(([name, atMs]) => [name, isoTime(atMs)]),
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
