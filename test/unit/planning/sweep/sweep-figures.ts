import type { SweepFacts } from '../../../../src/planning/sweep/report.js'
import type { Spread } from '../../../../src/planning/sweep/spread.js'
import type { StepFigures } from '../../../../src/planning/sweep/step-figures.js'

/** All values the same. */
export function spreadOf(value: number): Spread {
  return { avg: value, p50: value, p95: value, p99: value, max: value, worst_session: 3 }
}

/** Eight sessions for ten minutes, with nothing to complain of. */
export function figuresOf(changes: Partial<StepFigures> = {}): StepFigures {
  return {
    sessions: 8,
    audio_ms: 600_000,
    started_ms: 0,
    ending: 'complete',
    ended_ms: 602_000,
    warm_up_ms: 300,
    warm_up_error: null,
    held_ms: 600_000,
    outcomes: [{ outcome: 'ok', code: null, sessions: 8 }],
    unverified_sessions: 0,
    first_delta_ms: spreadOf(650),
    ttft_ms: spreadOf(700),
    delta_lag_ms: spreadOf(20),
    finalization_ms: spreadOf(300),
    overrun_ms: spreadOf(250),
    queue_wait_ms: spreadOf(0),
    connect_ms: spreadOf(9),
    sender_slip_ms: spreadOf(1),
    deltas_per_second: { avg: 100, p50: 100, p95: 100, p99: 100, max: 100 },
    deltas_per_second_due: 100,
    kv: {
      blocks_max: 1728,
      usage_peak: 0.33,
      measured_peak_blocks: 576,
      predicted_peak_blocks: 576,
      error_blocks_p50: 0,
      error_blocks_max: 0,
    },
    kv_outlook: null,
    waiting_capacity_max: 0,
    waiting_capacity_samples: 0,
    deferred_max: 8,
    preemptions: 0,
    others_connected_max: 0,
    x_realtime: 8,
    worst_lag_ms_by_session: [20, 20, 20, 20, 20, 20, 20, 20],
    p95_lag_ms_of_worst_session: { session: 3, ms: 20 },
    kv_series: [
      { at_ms: 1000, measured_blocks: 8, predicted_blocks: 8 },
      { at_ms: 2000, measured_blocks: 24, predicted_blocks: 24 },
    ],
    ...changes,
  }
}

/** A sweep of an L40S node. */
export function factsOf(changes: Partial<SweepFacts> = {}): SweepFacts {
  return {
    sweepId: '20261121-061500-a3f1',
    startedAt: '2026-11-21T06:15:00.000Z',
    endedAt: '2026-11-21T06:45:00.000Z',
    stopped: false,
    nightscribe: '0.1.0',
    machine: 'a CPU, 16 cores',
    engine: {
      url: 'ws://gpu-node:8000/v1/realtime',
      model: 'mistralai/Voxtral-Mini-4B-Realtime-2602',
      version: '0.32.0',
      isStandin: false,
      maxModelLen: 131_072,
      deltaDelayMs: 0,
      gpu: 'l40s',
      pricePerHour: 2,
      kvBlocksMax: 1728,
      kvModel: null,
    },
    load: {
      sessions: [8, 32, 64],
      seconds: 600,
      pace: 1,
      slaMs: 2000,
      staggerMs: 1000,
      seed: 1,
      limiter: 'none',
      audio: { name: 'meeting.mp3', durationMs: 98_000, speechShare: 1 },
    },
    notes: [],
    ...changes,
  }
}
