import { tenths } from '../../latency/latency-histogram.js'
import type { SessionOutcome, StepEnding } from './events.js'
import { type KvOutlook, kvOutlook } from './kv-outlook.js'
import type { SessionTrace } from './session-trace.js'
import { type Spread, SpreadMeter } from './spread.js'
import type { StepSums } from './step-fold.js'

/** Deltas come at their full rate 1 s after the last session's first frame. */
const SETTLE_MS = 1_000

/** Number of sessions that ended in one way. */
export interface OutcomeCount {
  outcome: SessionOutcome
  /** Why they ended, for programs; null for `ok`. */
  code: string | null
  sessions: number
}

/** The figures of one step, ready for JSON; ms and blocks to 0.1. See `DEFINITIONS`. */
export type StepFigures = ReturnType<typeof stepFigures>

/** KV blocks by the engine's gauge and by the law, at one moment; about one point a second. */
export interface KvSeriesPoint {
  /** Ms since the start of the sweep. */
  at_ms: number
  measured_blocks: number | null
  predicted_blocks: number
}

/** Every figure of a step out of the sums of its events. Pure. */
export function stepFigures(sums: StepSums) {
  const { started, sessions, gauges } = sums
  const traces = [...sessions].sort(([left], [right]) => left - right)
  const steady = steadyWindow(sums)
  return {
    sessions: started.sessions,
    audio_ms: started.audioMs,
    started_ms: started.atMs,
    ending: sums.ended?.ending ?? ('stopped' as StepEnding),
    ended_ms: sums.ended?.atMs ?? null,
    warm_up_ms: sums.warmUp?.kind === 'warmed_up' ? tenths(sums.warmUp.durationMs) : null,
    warm_up_error: sums.warmUp?.kind === 'warm_up_failed' ? sums.warmUp.detail : null,
    /** How long all sessions were fed at the same time. */
    held_ms: steady === null ? 0 : Math.max(0, Math.round(steady.untilMs - steady.fedMs)),
    outcomes: outcomesOf(traces),
    unverified_sessions: traces.filter(([, { ended }]) => ended?.verified === false).length,
    first_delta_ms: spreadOf(traces, (trace) => minus(trace.firstDeltaMs, trace.firstFrameMs)),
    ttft_ms: spreadOf(traces, (trace) => minus(trace.firstTextMs, trace.firstFrameMs)),
    delta_lag_ms: sums.lagMs.spread(),
    finalization_ms: spreadOf(traces, (trace) => minus(trace.doneMs, trace.lastFrameMs)),
    overrun_ms: spreadOf(traces, (trace) => overrunMs(trace, sums)),
    queue_wait_ms: spreadOf(traces, (trace) => minus(trace.openedMs, trace.arrivedMs)),
    connect_ms: spreadOf(traces, (trace) => minus(trace.createdMs, trace.openedMs)),
    sender_slip_ms: sums.slipMs.spread(),
    deltas_per_second: deltasPerSecond(sums, steady),
    deltas_per_second_due: tenths(started.sessions * started.pace * 12.5),
    kv: kvFigures(sums),
    kv_outlook: outlookOf(sums),
    waiting_capacity_max: gauges.waitingCapacityMax,
    waiting_capacity_samples: gauges.waitingCapacitySamples,
    deferred_max: gauges.deferredMax,
    preemptions: minus(gauges.preemptionsLast, gauges.preemptionsFirst),
    others_connected_max: gauges.othersConnectedMax,
    /** Audio of the sessions that ended well, over the time that it took. */
    x_realtime: xRealtime(traces),
    worst_lag_ms_by_session: traces.map(([, { lag }]) => lag.maxMs),
    p95_lag_ms_of_worst_session: worstP95(traces),
    kv_series: (sums.kv?.samples ?? []).map(
      ({ atMs, measured, predicted }): KvSeriesPoint => ({
        at_ms: Math.round(atMs),
        measured_blocks: measured,
        predicted_blocks: predicted,
      }),
    ),
  }
}

type Numbered = [session: number, trace: SessionTrace]

function outcomesOf(traces: readonly Numbered[]): OutcomeCount[] {
  const counts = new Map<string, OutcomeCount>()
  for (const [, { ended }] of traces) {
    const outcome = ended?.outcome ?? 'closed'
    const code = ended === null ? 'unknown' : ended.code
    const count = counts.get(`${outcome} ${code}`) ?? { outcome, code, sessions: 0 }
    count.sessions += 1
    counts.set(`${outcome} ${code}`, count)
  }
  return [...counts.values()]
}

function spreadOf(
  traces: readonly Numbered[],
  value: (trace: SessionTrace) => number | null,
): Spread | null {
  const meter = new SpreadMeter()
  for (const [session, trace] of traces) {
    const measured = value(trace)
    if (measured !== null) meter.record(Math.max(0, measured), session)
  }
  return meter.spread()
}

function overrunMs(trace: SessionTrace, { started }: StepSums): number | null {
  const wallMs = minus(trace.doneMs, trace.firstFrameMs)
  return wallMs === null ? null : wallMs - trace.audioMs / started.pace
}

interface Window {
  /** Moment from which on all sessions get audio, in ms of the sweep. */
  fedMs: number
  /** Moment from which on the deltas of all sessions come, in ms of the sweep. */
  fromMs: number
  /** Until here: the first session has got all its audio, or has ended. */
  untilMs: number
}

function steadyWindow({ sessions, started }: StepSums): Window | null {
  const traces = [...sessions.values()]
  if (traces.length < started.sessions) return null
  let fedMs = 0
  let untilMs = Number.POSITIVE_INFINITY
  for (const { firstFrameMs, audioEndedMs, ended } of traces) {
    if (firstFrameMs === null) return null
    fedMs = Math.max(fedMs, firstFrameMs)
    untilMs = Math.min(untilMs, audioEndedMs ?? ended?.atMs ?? 0)
  }
  return { fedMs, fromMs: fedMs + SETTLE_MS + started.deltaDelayMs, untilMs }
}

function deltasPerSecond(
  sums: StepSums,
  steady: Window | null,
): Omit<Spread, 'worst_session'> | null {
  if (steady === null) return null
  const from = Math.ceil((steady.fromMs - sums.started.atMs) / 1000)
  const until = Math.floor((steady.untilMs - sums.started.atMs) / 1000)
  const meter = new SpreadMeter()
  for (let second = from; second < until; second += 1) {
    meter.record(sums.deltasBySecond[second] ?? 0, 0)
  }
  const spread = meter.spread()
  if (spread === null) return null
  const { worst_session: _, ...rest } = spread
  return rest
}

function kvFigures({ kv, gauges, started }: StepSums) {
  const samples = kv?.samples ?? []
  const errors = new SpreadMeter()
  for (const { error } of samples) if (error !== null) errors.record(Math.abs(error), 0)
  const measured = samples.flatMap((sample) => sample.measured ?? [])
  return {
    blocks_max: started.kvBlocksMax,
    usage_peak: gauges.kvUsageMax,
    measured_peak_blocks: measured.length === 0 ? null : Math.max(...measured),
    predicted_peak_blocks:
      kv === null ? null : samples.reduce((peak, { predicted }) => Math.max(peak, predicted), 0),
    error_blocks_p50: errors.spread()?.p50 ?? null,
    error_blocks_max: errors.spread()?.max ?? null,
  }
}

function outlookOf({ started }: StepSums): KvOutlook | null {
  const { kvModel, kvBlocksMax, sessions, pace } = started
  if (kvModel === null) return null
  const outlook = kvOutlook(kvModel, sessions, kvBlocksMax)
  const wall = (audioMs: number | null) => (audioMs === null ? null : Math.round(audioMs / pace))
  return {
    ...outlook,
    plateau_after_ms: wall(outlook.plateau_after_ms) ?? 0,
    full_after_ms: wall(outlook.full_after_ms),
  }
}

function xRealtime(traces: readonly Numbered[]): number | null {
  const good = traces.flatMap(([, trace]) => (trace.ended?.outcome === 'ok' ? [trace] : []))
  if (good.length === 0) return null
  const firstMs = Math.min(...good.map((trace) => trace.firstFrameMs ?? Number.POSITIVE_INFINITY))
  const lastMs = Math.max(...good.map((trace) => trace.doneMs ?? 0))
  const audioMs = good.reduce((sum, trace) => sum + trace.audioMs, 0)
  return lastMs > firstMs ? tenths(audioMs / (lastMs - firstMs)) : null
}

function worstP95(traces: readonly Numbered[]): { session: number; ms: number } | null {
  let worst: { session: number; ms: number } | null = null
  for (const [session, { lag }] of traces) {
    const ms = lag.percentileMs(0.95)
    if (ms !== null && ms > (worst?.ms ?? -1)) worst = { session, ms }
  }
  return worst
}

function minus(later: number | null, earlier: number | null): number | null {
  return later === null || earlier === null ? null : later - earlier
}
