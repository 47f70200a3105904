import { describe, expect, it } from 'vitest'
import { blankRecord } from '../../../../src/pipeline/lifecycle/record-of-job.js'
import { historyObjects, jobObject } from '../../../../src/queue/contract/job-object.js'
import type { JobRecord } from '../../../../src/queue/index.js'

const origin = {
  ...{
    jobId: 'one',
    sourceName: 'a.wav',
    priority: 5,
    deadlineAt: null,
    tenant: 'default',
    createdAtMs: 0,
  },
}
const error = {
  code: 'engine_crashed',
  detail: 'Gone.',
  retryable: true,
  stage: 'transcribe',
} as const
const told = {
  ...error,
  title: 'The engine broke off',
  advice: expect.stringContaining('`nightscribe jobs retry one`'),
}

describe('a job as JSON', () => {
  it('has every field of its card, in the names of the contract; what is not known is null', () => {
    const record: JobRecord = {
      ...blankRecord(origin, 1_000),
      ...{ status: 'failed', error, audioMsTotal: 80, checkpointedAudioMs: 40, attempt: 2 },
      ...{ failuresSinceProgress: 2, fence: 2, warnings: ['media_damaged'] },
    }
    expect(jobObject(record)).toEqual({
      id: 'one',
      object: 'transcription.job',
      tenant: 'default',
      status: 'failed',
      source: 'a.wav',
      priority: 5,
      deadline_at: null,
      created_at: '1970-01-01T00:00:00.000Z',
      updated_at: '1970-01-01T00:00:01.000Z',
      progress: { audio_ms_done: 0, audio_ms_total: 80, audio_ms_checkpointed: 40 },
      attempt: 2,
      failures_since_progress: 2,
      // Former names, for one more release.
      attempts: 2,
      tries_since_progress: 2,
      error: told,
      waiting: null,
      warnings: ['media_damaged'],
      engine_is_standin: null,
      cancel_requested: false,
      timestamps: { created: '1970-01-01T00:00:01.000Z' },
    })
  })

  it('tells its history with the same names', () => {
    const history = [
      { atMs: 0, entry: { kind: 'submitted' } },
      {
        atMs: 1,
        entry: {
          kind: 'attempt-failed',
          error,
          failuresSinceProgress: 1,
          backoffMs: 5,
          checkpointedAudioMs: 7,
        },
      },
    ] as const
    expect(historyObjects(history, 'one')).toEqual([
      { at: '1970-01-01T00:00:00.000Z', kind: 'submitted' },
      {
        at: '1970-01-01T00:00:00.001Z',
        kind: 'attempt-failed',
        error: told,
        failures_since_progress: 1,
        tries: 1,
        backoff_ms: 5,
        checkpointed_audio_ms: 7,
        safe_audio_ms: 7,
      },
    ])
  })
})
