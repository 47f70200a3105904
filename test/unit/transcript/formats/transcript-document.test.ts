import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TranscriptLane } from '../../../../src/transcript/assemble.js'
import {
  type SourceFacts,
  type TranscriptEngine,
  transcriptDocument,
} from '../../../../src/transcript/formats/transcript-document.js'
import { assembleLanes, laneOf, lanesArbitrary } from '../transcript-arbitrary.js'

const SOURCE: SourceFacts = {
  bucket: 'meetings',
  key: 'monday.webm',
  versionId: null,
  etag: 'abc',
  bytes: 123_456,
  sha256: '00ff',
  container: 'webm',
  codec: 'opus',
  channels: 2,
  sampleRate: 48_000,
  durationMs: 1_600,
  durationMethod: 'decoded',
}

const ENGINE: TranscriptEngine = {
  model: 'a-model',
  revision: null,
  serverVersion: '0.32.0',
  delayMs: 480,
  pace: 1,
  rotationPolicy: 'fixed',
  language: null,
  isStandin: true,
}

function documentOf(lanes: (TranscriptLane & { endMs: number })[]) {
  return transcriptDocument({
    jobId: 'job-1',
    createdAt: '2026-11-21T04:00:00.000Z',
    source: SOURCE,
    engine: ENGINE,
    assembled: assembleLanes(lanes),
    stepMs: 80,
    warnings: ['media_truncated'],
    metrics: null,
  })
}

const blanks = (count: number) => Array.from({ length: count }, () => '')

describe('transcriptDocument', () => {
  it('has every field, times in seconds', () => {
    const deltas = [...blanks(10), ' So', '', ' good.', ...blanks(7)]
    const lane = laneOf(null, [{ deltas }], { speechMs: [[300, 1_100]] })
    expect(documentOf([lane])).toStrictEqual({
      schema: 'nightscribe.transcript/1',
      job_id: 'job-1',
      created_at: '2026-11-21T04:00:00.000Z',
      task: 'transcribe',
      language: null,
      duration: 1.6,
      text: 'So good.',
      segments: [
        { id: 0, start: 0.6, end: 0.96, text: 'So good.', channel: null, leg: 0, attempt: 1 },
      ],
      words: [
        {
          word: 'So',
          start: 0.6,
          end: 0.8,
          segment_id: 0,
          step: 10,
          group: 0,
          channel: null,
          interpolated: { start: true, end: false },
        },
        {
          word: 'good.',
          start: 0.8,
          end: 0.96,
          segment_id: 0,
          step: 12,
          group: 1,
          channel: null,
          interpolated: { start: true, end: false },
        },
      ],
      source: {
        bucket: 'meetings',
        key: 'monday.webm',
        version_id: null,
        etag: 'abc',
        size: 123_456,
        sha256: '00ff',
        container: 'webm',
        codec: 'opus',
        channels: 2,
        sample_rate: 48_000,
        duration_s: 1.6,
        duration_method: 'decoded',
      },
      engine: {
        model: 'a-model',
        revision: null,
        server_version: '0.32.0',
        delay_ms: 480,
        pace: 1,
        rotation_policy: 'fixed',
        language: null,
        is_standin: true,
      },
      timing: { method: 'token-step', quantum_ms: 80, verified: true, offset_ms: 0 },
      coverage: { speech_s: 0.8, transcribed_s: 0.8, holes: [] },
      legs: [
        {
          index: 0,
          channel: null,
          start: 0,
          end: 1.6,
          cut: 'end',
          deltas: 20,
          timing: 'token-step',
          attempt: 1,
        },
      ],
      lanes: [{ channel: null, text: 'So good.', speech_s: 0.8, transcribed_s: 0.8 }],
      warnings: ['media_truncated'],
      metrics: null,
    })
  })

  it('names holes and their channel', () => {
    const lanes = [
      laneOf(0, [{ deltas: blanks(200) }], { speechMs: [[1_000, 9_500]] }),
      laneOf(1, [{ deltas: blanks(200) }]),
    ]
    expect(documentOf(lanes).coverage).toStrictEqual({
      speech_s: 8.5,
      transcribed_s: 0,
      holes: [{ start: 1, end: 9.5, channel: 0, action: 'unresolved', reason: null }],
    })
  })

  it('lets no leg reach into the next, and counts what each one sent', () => {
    const lane = laneOf(null, [
      { deltas: [...blanks(80), ' one', ...blanks(19)] },
      { deltas: [...blanks(70), ' two', ...blanks(29)] },
    ])
    const legs = lane.legs.map((leg) => ({ ...leg, endMs: Math.min(leg.endMs + 2_000, 16_000) }))
    const { legs: written, text } = documentOf([{ ...lane, legs }])
    expect(text).toBe('one two')
    expect(written.map(({ start, end, deltas }) => [start, end, deltas])).toStrictEqual([
      [0, 9, 100],
      [9, 16, 100],
    ])
  })

  it('calls the timing estimated as soon as one leg is', () => {
    const lanes = [
      laneOf(0, [{ deltas: ['', ' a'] }]),
      laneOf(1, [{ deltas: ['', ' b'] }], { timing: 'estimated' }),
    ]
    expect(documentOf(lanes).timing).toMatchObject({ method: 'estimated', verified: false })
  })

  it('calls nothing verified where nothing was sent', () => {
    expect(documentOf([laneOf(null, [])]).timing.verified).toBe(false)
  })

  it('survives JSON, and nothing in it is undefined or below the millisecond', () => {
    fc.assert(
      fc.property(lanesArbitrary, (lanes) => {
        const made = documentOf(lanes)
        expect(JSON.parse(JSON.stringify(made))).toStrictEqual(made)
        for (const { start, end } of [...made.words, ...made.segments]) {
          expect(end).toBeGreaterThan(start)
          expect([start, end]).toStrictEqual([Number(start.toFixed(3)), Number(end.toFixed(3))])
        }
      }),
    )
  })
})
