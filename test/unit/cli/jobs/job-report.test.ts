import { describe, expect, it } from 'vitest'
import { jobReport, waitingText } from '../../../../src/cli/jobs/job-report.js'
import { statusText } from '../../../../src/cli/jobs/progress-view.js'
import { HISTORY_ENTRIES_MAX } from '../../../../src/queue/contract/job-history.js'
import type { DatedHistoryEntry, JobRecord } from '../../../../src/queue/index.js'
import type { ManifestDocument } from '../../../../src/storage/documents/manifest-document.js'
import { recordOf } from '../../../fakes/job-record.js'

const CRASHED = 'The engine closed the session (1011). [engine_crashed]'
const TRUNCATED =
  'the file ends before it says it does; what there is of it was transcribed [media_truncated].'

/** By the clock of whoever reads it, as the text is. */
const at = (day: number, hour: number, minute: number) =>
  new Date(2026, 0, day, hour, minute).getTime()
const nowMs = at(5, 23, 10)
const waits = (place: number | null, expectedStartAtMs: number | null) =>
  waitingText({ place, expectedStartAtMs, reason: 'x' }, nowMs)

describe('what is said of a job that waits for room', () => {
  it.each([
    [1, '1st'],
    [2, '2nd'],
    [3, '3rd'],
    [4, '4th'],
    [11, '11th'],
    [12, '12th'],
    [13, '13th'],
    [20, '20th'],
    [21, '21st'],
    [102, '102nd'],
    [113, '113th'],
  ])('place %i is the %s', (place, said) => {
    expect(waits(place, null)).toBe(`waits for room, ${said} in the queue`)
  })

  it('says when it should start, with the date where that is a day ahead', () => {
    expect(waits(3, at(6, 2, 40))).toBe('waits for room, 3rd in the queue, expected at 02:40')
    expect(waits(null, at(7, 2, 5))).toBe('waits for room, expected on 2026-01-07 at 02:05')
    expect(waits(null, null)).toBe('waits for room')
  })

  it('stands in the list and in the story, with the reason', () => {
    const reason = 'No KV blocks are free.\u001b[2J'
    const waiting = { place: 3, expectedStartAtMs: at(6, 2, 40), reason }
    const record: JobRecord = {
      ...{ ...recordOf('one'), status: 'queued', sourceName: 'a.wav', waiting },
      ...{ createdAtMs: nowMs, updatedAtMs: nowMs, reachedAtMs: { created: nowMs } },
    }
    const said = 'waits for room, 3rd in the queue, expected at 02:40'
    expect(statusText(record)).toBe(said)
    expect(statusText({ ...record, waiting: null })).toBe('waiting')
    const story = jobReport({ record, history: [], manifest: null }, { location: 'x', nowMs })
    expect(story).toContain(`Job one ${said}.`)
    expect(story).toContain('There is no room for it: No KV blocks are free.�[2J')
  })
})

describe('the story of a job', () => {
  const record: JobRecord = {
    jobId: 'one',
    status: 'running',
    sourceName: 'meetings/monday.m4a',
    priority: 0,
    deadlineAt: null,
    tenant: 'default',
    audioMsTotal: 1_834_000,
    audioMsDone: 480_000,
    checkpointedAudioMs: 421_000,
    failuresSinceProgress: 0,
    fence: 2,
    attempt: 2,
    error: null,
    waiting: null,
    warnings: [],
    engineIsStandin: false,
    cancelRequested: false,
    createdAtMs: at(5, 21, 0),
    updatedAtMs: nowMs,
    reachedAtMs: {},
  }
  const crashed = {
    code: 'engine_crashed',
    detail: 'The engine closed the session (1011).',
    retryable: true,
    stage: 'transcribe',
  } as const
  const waited: DatedHistoryEntry[] = [
    { atMs: at(5, 21, 0), entry: { kind: 'submitted' } },
    { atMs: at(5, 21, 1), entry: { kind: 'waiting', reason: 'No engine is up.' } },
  ]
  const began: DatedHistoryEntry = {
    atMs: at(5, 21, 4),
    entry: { kind: 'admitted', attempt: 1, engines: ['gpu:8000'], checkpointedAudioMs: 0 },
  }
  const tell = (
    changes: Partial<JobRecord>,
    history: DatedHistoryEntry[],
    manifest?: ManifestDocument,
  ) => {
    const told = { record: { ...record, ...changes }, history, manifest: manifest ?? null }
    return jobReport(told, { location: 's3://archive', nowMs }).join('\n')
  }

  it('is one of waiting, breaking and going on', () => {
    const history: DatedHistoryEntry[] = [
      ...waited,
      began,
      {
        atMs: at(5, 21, 9),
        entry: { kind: 'session-broke', engine: 'gpu:8000', code: 'x', times: 1 },
      },
      {
        atMs: at(5, 21, 10),
        entry: { kind: 'session-broke', engine: 'gpu:8000', code: 'session_stalled', times: 3 },
      },
      { atMs: at(5, 21, 11), entry: { kind: 'session-evicted', engine: 'gpu:8000', times: 1 } },
      {
        atMs: at(5, 21, 12),
        entry: { kind: 'taken-over', takeovers: 1, checkpointedAudioMs: 421_000 },
      },
      {
        atMs: at(5, 21, 13),
        entry: {
          kind: 'admitted',
          attempt: 2,
          engines: ['gpu:8000', 'b:1'],
          checkpointedAudioMs: 421_000,
        },
      },
    ]
    expect(tell({}, history).split('\n')).toEqual([
      'meetings/monday.m4a',
      'Job one is being transcribed.',
      'The recording is 30:34 long; 8:00 of it is transcribed, and 7:01 of audio is safe.',
      '',
      '  21:00:00  submitted',
      '  21:01:00  waited for room: No engine is up.',
      '  21:04:00  attempt 1 began, on gpu:8000',
      '  21:09:00  lost a session on gpu:8000: [x]',
      '  21:10:00  lost 3 sessions on gpu:8000: the engine fell silent [session_stalled]',
      '  21:11:00  gave up a session on gpu:8000, so that the others there could go on',
      '  21:12:00  its worker was lost; another one took it over, with 7:01 of audio safe',
      '  21:13:00  attempt 2 went on after 7:01 of audio, on gpu:8000 and b:1',
    ])
  })

  it('of a dead letter says why, what to do, and where it goes on then', () => {
    const error = crashed
    const history: DatedHistoryEntry[] = [
      began,
      {
        atMs: at(5, 21, 20),
        entry: {
          kind: 'attempt-failed',
          error,
          failuresSinceProgress: 1,
          backoffMs: 4_200,
          checkpointedAudioMs: 421_000,
        },
      },
      { atMs: at(5, 21, 25), entry: { kind: 'taken-over', takeovers: 2, checkpointedAudioMs: 0 } },
      {
        atMs: at(5, 21, 26),
        entry: {
          kind: 'attempt-failed',
          error,
          failuresSinceProgress: 2,
          backoffMs: 9_000,
          checkpointedAudioMs: 0,
        },
      },
      { atMs: at(5, 21, 30), entry: { kind: 'failed', error, failuresSinceProgress: 10 } },
    ]
    expect(tell({ status: 'failed', error }, history).split('\n')).toEqual([
      'meetings/monday.m4a',
      'Job one has failed.',
      'The recording is 30:34 long; 8:00 of it is transcribed, and 7:01 of audio is safe.',
      '',
      '  21:04:00  attempt 1 began, on gpu:8000',
      `  21:20:00  failed: ${CRASHED} To be tried again after 5 s`,
      '  21:25:00  its worker was lost, the 2nd time without progress; another one took it over',
      `  21:26:00  failed, the 2nd time without progress: ${CRASHED} To be tried again after 9 s`,
      '  21:30:00  gave up after 10 failures without progress: the engine broke off [engine_crashed]',
      '',
      'The engine broke off: The engine closed the session (1011). [engine_crashed]',
      "Look into the engine's log, start it again if it is down, then `nightscribe jobs retry one`.",
      'A retry goes on after 7:01 of audio.',
    ])
  })

  it('of one that is done names its files, and says its warnings in words', () => {
    const output = { name: 'transcript.json', key: 'jobs/one/a2/transcript.json' }
    const manifest = { outputs: [{ ...output, bytes: 1, sha256: '' }] } as Partial<ManifestDocument>
    const changes = {
      status: 'completed',
      warnings: ['media_truncated', 'another'],
      reachedAtMs: { completed: at(5, 23, 9) },
    } as const
    const told = tell({ ...changes, warnings: [...changes.warnings] }, waited, {
      ...(manifest as ManifestDocument),
    })
    expect(told.split('\n')).toEqual([
      'meetings/monday.m4a',
      'Job one is done.',
      'The recording is 30:34 long.',
      '',
      '  21:00:00  submitted',
      '  21:01:00  waited for room: No engine is up.',
      '  23:09:00  done',
      '',
      `Warning: ${TRUNCATED}`,
      'Warning: another.',
      '',
      '  s3://archive/jobs/one/a2/transcript.json',
    ])
  })

  it('is told with the day when it began on another one, and says that its beginning is gone', () => {
    const notes = Array.from({ length: HISTORY_ENTRIES_MAX }, () => began)
    const [, , , , gone, first] = jobReport(
      { record, history: notes, manifest: null },
      { location: 'x', nowMs: at(7, 9, 0) },
    )
    expect(gone).toBe('  …  what was before is no longer kept')
    expect(first).toMatch(/^ {2}2026-01-05 21:04:00 {2}attempt 1 began/)
  })

  it('says of many channels that what is safe is their sum, and lets no text steer the terminal', () => {
    const history: DatedHistoryEntry[] = [
      { atMs: nowMs, entry: { kind: 'waiting', reason: '\u001b[2J' } },
      {
        atMs: nowMs,
        entry: { kind: 'admitted', attempt: 3, engines: ['e'], checkpointedAudioMs: 3_000_000 },
      },
    ]
    const told = tell({}, history)
    expect(told).toContain('attempt 3 went on after 50:00 of audio (all channels together), on e')
    expect(told).not.toContain('\u001b')
  })
})
