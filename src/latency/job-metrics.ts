import type { JobFigures } from './job-meter.js'
import { tenths } from './latency-histogram.js'

/** What a job's metrics are made of. Null: not known. */
export interface MetricsInput {
  jobId: string
  /** Length of the recording, in ms. */
  audioMs: number
  /** Multiple of real time at which it was replayed. */
  pace: number | 'max'
  /** From the submit of the job until a worker took it. */
  queueWaitMs: number | null
  downloadMs: number | null
  analysisMs: number | null
  decodeMs: number | null
  admissionWaitMs: number | null
  /** Where in the recording this and earlier attempts resumed, oldest first. */
  resumedFromMs: readonly number[]
  /** Whether this attempt resumed: then the last entry of `resumedFromMs` is its own. */
  isResumed: boolean
  figures: JobFigures
  kvBlocks: { grantedMax: number | null; heldMax: number | null }
  sessionsRunning: { atStart: number | null; max: number | null }
  preemptionsSeen: number | null
  gpuSecondsShare: number | null
  cost: number | null
  engineIsStandin: boolean
}

/** `metrics.json`; see `metricsDocument`. */
export type MetricsDocument = ReturnType<typeof metricsDocument>

/**
 * The content of `metrics.json`, ready for JSON; ms are rounded to 0.1. A value that isn't known is
 * null.
 *
 * - `wall_ms`: first audio packet sent → last done, over all sessions of the attempt.
 * - `overrun_ms`: `wall_ms` less the audio that this attempt replayed, at its pace; null at `max`,
 *   which promises no time.
 * - `ttft_ms`: first audio packet sent → first non-empty delta. It includes the model's delay, and
 *   the silence at the beginning of the recording.
 * - `delta_latency_ms`: audio sent so far minus audio time of the newest token, at every delta.
 * - `finalization_ms`: last audio packet sent → done; of several sessions the longest.
 * - `sender_slip_ms`: how long after it was due each audio packet left.
 * - `stalls`: how often a sender was held back because the engine was behind.
 * - `tokens`: deltas, empty ones included; `blank_ratio`: the share of the empty ones.
 */
export function metricsDocument(input: MetricsInput) {
  const { figures, audioMs } = input
  const [p50, p95, p99] = figures.deltaLatency.percentilesMs([0.5, 0.95, 0.99])
  return {
    schema: 'nightscribe.metrics/1' as const,
    job_id: input.jobId,
    audio_ms: tenths(audioMs),
    wall_ms: rounded(figures.replayWallMs),
    queue_wait_ms: rounded(input.queueWaitMs),
    download_ms: rounded(input.downloadMs),
    analysis_ms: rounded(input.analysisMs),
    decode_ms: rounded(input.decodeMs),
    decode_x_realtime: ratio(audioMs, input.decodeMs),
    admission_wait_ms: rounded(input.admissionWaitMs),
    connect_ms: rounded(figures.connectMs),
    ttft_ms: rounded(figures.firstTextMs),
    delta_latency_ms: {
      p50: p50 ?? null,
      p95: p95 ?? null,
      p99: p99 ?? null,
      max: figures.deltaLatency.maxMs,
    },
    finalization_ms: rounded(figures.finalizationMs),
    overrun_ms: overrunMs(input),
    sender_slip_ms: {
      p99: figures.senderSlip.percentileMs(0.99),
      max: figures.senderSlip.maxMs,
    },
    stalls: figures.stalls,
    rotations: figures.rotations,
    reconnects: figures.reconnects,
    resumed_from_ms: [...input.resumedFromMs],
    tokens: figures.tokens,
    blank_ratio: ratio(figures.blankTokens, figures.tokens),
    kv_blocks: { granted_max: input.kvBlocks.grantedMax, held_max: input.kvBlocks.heldMax },
    sessions_running: { at_start: input.sessionsRunning.atStart, max: input.sessionsRunning.max },
    preemptions_seen: input.preemptionsSeen,
    gpu_seconds_share: input.gpuSecondsShare,
    cost: input.cost,
    engine_is_standin: input.engineIsStandin,
  }
}

function overrunMs(input: MetricsInput): number | null {
  const { replayWallMs } = input.figures
  if (replayWallMs === null || input.pace === 'max') return null
  const startMs = input.isResumed ? (input.resumedFromMs.at(-1) ?? 0) : 0
  return tenths(replayWallMs - (input.audioMs - startMs) / input.pace)
}

function rounded(durationMs: number | null): number | null {
  return durationMs === null ? null : tenths(durationMs)
}

/** To three decimals; null where there is nothing to divide by. */
function ratio(part: number, whole: number | null): number | null {
  return whole === null || whole === 0 ? null : Math.round((part / whole) * 1000) / 1000
}
