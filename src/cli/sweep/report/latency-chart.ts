import type { SweepReport } from '../../../planning/sweep/report.js'
import { milliseconds } from '../../../planning/sweep/verdict.js'
import {
  baseAxis,
  boundLine,
  emptyChart,
  endNames,
  figure,
  linearScale,
  logScale,
  PLOT,
  powerTicks,
  type Scale,
  valueAxis,
} from './chart-frame.js'
import { dot, element, label, polyline } from './svg.js'

const SERIES = [
  { which: 'p50', kind: 's1' },
  { which: 'p95', kind: 's2' },
  { which: 'p99', kind: 's3' },
  { which: 'max', kind: 's4' },
] as const

/** Delta lag by number of sessions, with the bound and the knee. */
export function latencyChart(report: SweepReport): string {
  const reading = 'Each dot is a step. A step holds while p99 stays below the bound.'
  return figure('Delta lag against sessions', reading, plot(report))
}

function plot(report: SweepReport): string {
  const steps = report.steps.filter(({ delta_lag_ms: lag }) => lag !== null)
  if (steps.length === 0) return emptyChart('No delta came.')
  const boundMs = lagBoundMs(report)
  const domain = lagDomain(report)
  const x = linearScale(
    [0, Math.max(...steps.map(({ sessions }) => sessions))],
    [PLOT.left, PLOT.right - 8],
  )
  const y = logScale(domain, [PLOT.bottom, PLOT.top + 8])
  const lines = SERIES.map(({ which, kind }) =>
    polyline(
      steps.map(({ sessions, delta_lag_ms: lag }) => [x(sessions), y(lag?.[which] ?? 0)] as const),
      kind,
    ),
  )
  const dots = SERIES.flatMap(({ which, kind }) =>
    steps.map(({ sessions, delta_lag_ms: lag }) => {
      const valueMs = lag?.[which] ?? 0
      const says = `${sessions} sessions: ${which} ${milliseconds(valueMs)}`
      return dot([x(sessions), y(valueMs)], kind, says)
    }),
  )
  const last = steps.at(-1)?.delta_lag_ms
  const names = SERIES.map(({ which, kind }) => ({ y: y(last?.[which] ?? 0), text: which, kind }))
  return [
    lagAxis(domain, y),
    baseAxis(
      steps.map(({ sessions }) => ({ at: x(sessions), text: String(sessions) })),
      'sessions at a time',
    ),
    kneeMark(report.result.knee, x),
    boundLine(y(boundMs), ''),
    label(`bound ${milliseconds(boundMs)}`, { x: PLOT.left + 4, y: y(boundMs) - 5, kind: 'name' }),
    ...lines,
    ...dots,
    endNames(names),
  ].join('')
}

function kneeMark(knee: number | null, x: Scale): string {
  if (knee === null) return ''
  const at = x(knee)
  const isRight = at > (PLOT.left + PLOT.right) / 2
  return (
    element('line', { x1: at, x2: at, y1: PLOT.top, y2: PLOT.bottom, class: 'knee' }) +
    label(`knee: ${knee}`, {
      x: at + (isRight ? -6 : 6),
      y: PLOT.top + 4,
      anchor: isRight ? 'end' : 'start',
      kind: 'name strong',
    })
  )
}

/** The bound on delta lag, in ms, that decides whether a step holds. */
export function lagBoundMs({ load, engine }: SweepReport): number {
  return load.sla_ms + engine.delta_delay_ms
}

/** From 1 ms to a power of ten above all lags and the bound. */
export function lagDomain(report: SweepReport): [number, number] {
  const most = Math.max(...report.steps.map(({ delta_lag_ms: lag }) => lag?.max ?? 0))
  return [1, 10 ** Math.ceil(Math.log10(Math.max(most, lagBoundMs(report)) * 1.05))]
}

/** An axis with powers of ten in ms and s. */
export function lagAxis(domain: readonly [number, number], y: Scale): string {
  const ticks = powerTicks(domain).map((valueMs) => ({
    at: y(valueMs),
    text: valueMs < 1000 ? `${valueMs} ms` : `${valueMs / 1000} s`,
  }))
  return valueAxis(ticks, 'delta lag')
}
