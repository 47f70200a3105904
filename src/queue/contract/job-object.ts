import { isoTime } from '../../kernel/clock.js'
import type { DatedHistoryEntry, JobError, JobRecord, JobWaiting } from '../index.js'
import { adviceOn, FAILURE_CODES } from './failure-codes.js'

/**
 * The public job object: what the command line, and every other interface, shows of a job. A field
 * that isn't known is null.
 */
export function jobObject(record: JobRecord): object {
  return {
    id: record.jobId,
    object: 'transcription.job',
    tenant: record.tenant,
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
    attempt: record.attempt,
    failures_since_progress: record.failuresSinceProgress,
    // Former names, for one more release.
    attempts: record.attempt,
    tries_since_progress: record.failuresSinceProgress,
    error: record.error && errorObject(record.error, record.jobId),
    waiting: record.waiting && waitingObject(record.waiting),
    warnings: record.warnings,
    engine_is_standin: record.engineIsStandin,
    cancel_requested: record.cancelRequested,
    timestamps: Object.fromEntries(
      Object.entries(record.reachedAtMs).map(([name, atMs]) => [name, isoTime(atMs)]),
    ),
  }
}

/** What happened to a job, oldest first: `{at, kind, ...}`. */
export function historyObjects(history: readonly DatedHistoryEntry[], jobId: string): object[] {
  return history.map(({ atMs, entry }) => {
    const fields = Object.entries(entry).flatMap(([name, value]) => {
      if (name === 'error') return [[name, errorObject(value as JobError, jobId)]]
      const publicName = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      const formerName = FORMER_NAMES[name]
      return [[publicName, value], ...(formerName === undefined ? [] : [[formerName, value]])]
    })
    return { at: isoTime(atMs), ...Object.fromEntries(fields) }
  })
}

/** Former public names of fields; they are given beside the new ones for one more release. */
const FORMER_NAMES: Readonly<Record<string, string>> = {
  failuresSinceProgress: 'tries',
  checkpointedAudioMs: 'safe_audio_ms',
}

function errorObject(error: JobError, jobId: string): object {
  const { title } = FAILURE_CODES[error.code] ?? FAILURE_CODES.internal
  return { ...error, title, advice: adviceOn(error.code, jobId) }
}

function waitingObject({ place, expectedStartAtMs, reason }: JobWaiting): object {
  const expectedStartAt = expectedStartAtMs === null ? null : isoTime(expectedStartAtMs)
  return { place, expected_start_at: expectedStartAt, reason }
}
