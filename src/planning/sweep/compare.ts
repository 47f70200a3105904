import type { StepReport, SweepReport } from './report.js'

/** A figure by which two sweeps are compared. */
interface ComparedFigure {
  name: string
  lessIsBetter: boolean
  of(step: ComparedStep): number | null
}

/** The part of a step in `report.json` that a comparison needs. */
export type ComparedStep = Pick<
  StepReport,
  | 'sessions'
  | 'verdict'
  | 'first_delta_ms'
  | 'ttft_ms'
  | 'delta_lag_ms'
  | 'finalization_ms'
  | 'sender_slip_ms'
  | 'deltas_per_second'
  | 'x_realtime'
  | 'kv'
>

/** The part of `report.json` that a comparison needs. */
export interface ComparedReport {
  sweep_id: string
  started_at: string
  engine: Pick<SweepReport['engine'], 'url' | 'model' | 'version' | 'is_standin' | 'gpu'>
  load: Pick<SweepReport['load'], 'seconds' | 'pace' | 'sla_ms' | 'limiter' | 'audio'>
  result: Pick<SweepReport['result'], 'highest_held'>
  steps: readonly ComparedStep[]
}

const FIGURES: readonly ComparedFigure[] = [
  {
    name: 'first_delta_ms_p95',
    lessIsBetter: true,
    of: ({ first_delta_ms }) => first_delta_ms?.p95 ?? null,
  },
  { name: 'ttft_ms_p95', lessIsBetter: true, of: ({ ttft_ms }) => ttft_ms?.p95 ?? null },
  { name: 'delta_lag_ms_p50', lessIsBetter: true, of: ({ delta_lag_ms: lag }) => lag?.p50 ?? null },
  { name: 'delta_lag_ms_p99', lessIsBetter: true, of: ({ delta_lag_ms: lag }) => lag?.p99 ?? null },
  { name: 'delta_lag_ms_max', lessIsBetter: true, of: ({ delta_lag_ms: lag }) => lag?.max ?? null },
  {
    name: 'finalization_ms_p95',
    lessIsBetter: true,
    of: ({ finalization_ms }) => finalization_ms?.p95 ?? null,
  },
  {
    name: 'sender_slip_ms_p99',
    lessIsBetter: true,
    of: ({ sender_slip_ms }) => sender_slip_ms?.p99 ?? null,
  },
  {
    name: 'deltas_per_second_avg',
    lessIsBetter: false,
    of: ({ deltas_per_second }) => deltas_per_second?.avg ?? null,
  },
  { name: 'x_realtime', lessIsBetter: false, of: ({ x_realtime }) => x_realtime },
  { name: 'kv_blocks_peak', lessIsBetter: true, of: ({ kv }) => kv.measured_peak_blocks },
]

/** Changes below 5 % are taken for noise. */
const NOISE_SHARE = 0.05

/** One figure of one step in both sweeps. */
export interface FigureChange {
  figure: string
  a: number | null
  b: number | null
  /** B over A, less 1, to 0.001; null where A is 0 or one of them is missing. */
  change: number | null
  /** How B compares with A; `same` below a change of 5 %. */
  judgement: 'better' | 'worse' | 'same' | 'unknown'
}

/** Two sweeps side by side, ready for JSON. */
export type SweepComparison = ReturnType<typeof compareSweeps>

/** Compares the steps that both sweeps have, figure by figure. Pure. */
export function compareSweeps(a: ComparedReport, b: ComparedReport) {
  const steps = a.steps.flatMap((stepA) => {
    const stepB = b.steps.find(({ sessions }) => sessions === stepA.sessions)
    if (stepB === undefined) return []
    return [
      {
        sessions: stepA.sessions,
        verdict: { a: stepA.verdict, b: stepB.verdict },
        figures: FIGURES.map((figure) => changeOf(figure, stepA, stepB)),
      },
    ]
  })
  return {
    schema: 'nightscribe.sweep-comparison/1' as const,
    a: headOf(a),
    b: headOf(b),
    highest_held: { a: a.result.highest_held, b: b.result.highest_held },
    /** Differences of engine or load for which the two sweeps may not be comparable. */
    differences: differencesOf(a, b),
    steps,
    only_in_a: onlyIn(a, b),
    only_in_b: onlyIn(b, a),
  }
}

function headOf({ sweep_id, started_at, engine }: ComparedReport) {
  return { sweep_id, started_at, engine: { ...engine } }
}

function onlyIn(one: ComparedReport, other: ComparedReport): number[] {
  const there = new Set(other.steps.map(({ sessions }) => sessions))
  return one.steps.map(({ sessions }) => sessions).filter((sessions) => !there.has(sessions))
}

function changeOf(figure: ComparedFigure, stepA: ComparedStep, stepB: ComparedStep): FigureChange {
  const [a, b] = [figure.of(stepA), figure.of(stepB)]
  if (a === null || b === null) {
    return { figure: figure.name, a, b, change: null, judgement: 'unknown' }
  }
  const share = a === 0 ? (b === 0 ? 0 : null) : b / a - 1
  const change = share === null ? null : Math.round(share * 1000) / 1000
  const same = a === b || (share !== null && Math.abs(share) < NOISE_SHARE)
  const judgement = same ? 'same' : b < a === figure.lessIsBetter ? 'better' : 'worse'
  return { figure: figure.name, a, b, change, judgement }
}

function differencesOf(a: ComparedReport, b: ComparedReport): string[] {
  const pairs: [string, unknown, unknown][] = [
    ['model', a.engine.model, b.engine.model],
    ['engine version', a.engine.version, b.engine.version],
    ['GPU', a.engine.gpu, b.engine.gpu],
    ['stand-in', a.engine.is_standin, b.engine.is_standin],
    ['seconds', a.load.seconds, b.load.seconds],
    ['pace', a.load.pace, b.load.pace],
    ['SLA (ms)', a.load.sla_ms, b.load.sla_ms],
    ['limiter', a.load.limiter, b.load.limiter],
    ['audio', a.load.audio.name, b.load.audio.name],
  ]
  return pairs
    .filter(([, left, right]) => left !== right)
    .map(([name, left, right]) => `${name}: ${left ?? 'unknown'} against ${right ?? 'unknown'}`)
}
