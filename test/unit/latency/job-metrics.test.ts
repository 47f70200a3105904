import { describe, expect, it } from 'vitest'
import { JobMeter } from '../../../src/latency/job-meter.js'
import { type MetricsInput, metricsDocument } from '../../../src/latency/job-metrics.js'
import type { SessionMeter } from '../../../src/realtime/run-session.js'

function documentOf(meter: JobMeter, changes: Partial<MetricsInput> = {}) {
  return metricsDocument({
    jobId: 'job-1',
    audioMs: 10_000,
    pace: 1,
    queueWaitMs: null,
    downloadMs: null,
    analysisMs: null,
    decodeMs: null,
    admissionWaitMs: null,
    resumedFromMs: [],
    isResumed: false,
    figures: meter.figures(),
    kvBlocks: { grantedMax: null, heldMax: null },
    sessionsRunning: { atStart: null, max: null },
    preemptionsSeen: null,
    gpuSecondsShare: null,
    cost: null,
    engineIsStandin: true,
    ...changes,
  })
}

/** A session as the realtime client reports it: frames from `startMs` on, done at `doneMs`. */
function carry(meter: JobMeter, startMs: number, audioMs: number, doneMs: number) {
  const session: SessionMeter = meter.session()
  session.connected(12)
  session.frameSent(startMs, 0)
  session.deltaReceived(startMs + 600, 40, false)
  session.deltaReceived(startMs + 700, 60, true)
  session.frameSent(startMs + audioMs, 3)
  session.finished(doneMs)
}

describe('metricsDocument', () => {
  it('has every field, null where nothing is known', () => {
    expect(documentOf(new JobMeter())).toStrictEqual({
      schema: 'nightscribe.metrics/1',
      job_id: 'job-1',
      audio_ms: 10_000,
      wall_ms: null,
      queue_wait_ms: null,
      download_ms: null,
      analysis_ms: null,
      decode_ms: null,
      decode_x_realtime: null,
      admission_wait_ms: null,
      connect_ms: null,
      ttft_ms: null,
      delta_latency_ms: { p50: null, p95: null, p99: null, max: null },
      finalization_ms: null,
      overrun_ms: null,
      sender_slip_ms: { p99: null, max: null },
      stalls: 0,
      rotations: 0,
      reconnects: 0,
      resumed_from_ms: [],
      tokens: 0,
      blank_ratio: null,
      kv_blocks: { granted_max: null, held_max: null },
      sessions_running: { at_start: null, max: null },
      preemptions_seen: null,
      gpu_seconds_share: null,
      cost: null,
      engine_is_standin: true,
    })
  })

  it('measures one session by its definitions', () => {
    const meter = new JobMeter()
    carry(meter, 1_000, 9_920, 11_500)
    expect(documentOf(meter, { decodeMs: 200 })).toMatchObject({
      wall_ms: 10_500,
      overrun_ms: 500,
      connect_ms: 12,
      ttft_ms: 700,
      finalization_ms: 580,
      delta_latency_ms: { p50: 40, p95: 60, p99: 60, max: 60 },
      sender_slip_ms: { p99: 3, max: 3 },
      tokens: 2,
      blank_ratio: 0.5,
      decode_x_realtime: 50,
    })
  })

  it('merges legs and lanes: first packet to last done, the longest finalization', () => {
    const meter = new JobMeter()
    carry(meter, 1_000, 4_920, 6_300)
    meter.rotated()
    carry(meter, 6_000, 4_920, 11_900)
    carry(meter, 1_010, 9_920, 11_100)
    expect(documentOf(meter)).toMatchObject({
      wall_ms: 10_900,
      ttft_ms: 700,
      finalization_ms: 980,
      rotations: 1,
      tokens: 6,
    })
  })

  it('counts a session that failed, but not its end', () => {
    const meter = new JobMeter()
    const failed = meter.session()
    failed.frameSent(0, 0)
    failed.deltaReceived(600, 40, false)
    meter.reconnected()
    carry(meter, 2_000, 9_920, 12_500)
    expect(documentOf(meter)).toMatchObject({
      wall_ms: 12_500,
      ttft_ms: 2_700,
      finalization_ms: 580,
      reconnects: 1,
      tokens: 3,
    })
  })

  it('counts how often the sender was held back', () => {
    const meter = new JobMeter()
    const session = meter.session()
    session.held(300)
    session.held(200)
    expect(meter.figures()).toMatchObject({ stalls: 2, heldMs: 500 })
  })

  it.each<[string, Partial<MetricsInput>, number | null]>([
    ['the whole recording', {}, 500],
    ['twice as fast', { pace: 2 }, 5_500],
    ['as fast as it goes', { pace: 'max' }, null],
    ['from where it was resumed', { resumedFromMs: [2_000, 4_000], isResumed: true }, 4_500],
    ['from the start after earlier resumes', { resumedFromMs: [4_000] }, 500],
  ])('compares the wall time with the audio replayed: %s', (_, changes, overrunMs) => {
    const meter = new JobMeter()
    carry(meter, 1_000, 9_920, 11_500)
    expect(documentOf(meter, changes).overrun_ms).toBe(overrunMs)
  })
})
