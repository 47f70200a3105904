import type { StepReport, SweepReport } from '../../../planning/sweep/report.js'
import { clockText } from '../../terminal.js'
import {
  baseAxis,
  boundLine,
  emptyChart,
  endNames,
  evenTicks,
  figure,
  linearScale,
  PLOT,
  type Scale,
  valueAxis,
} from './chart-frame.js'
import { element, label, polyline } from './svg.js'

/** Most points of one line; more can't be told apart on the page. */
const POINTS_MAX = 1_200

/**
 * KV blocks over time: by the engine's gauge, and as the KV model predicts from the deltas
 * received.
 */
export function kvChart(report: SweepReport): string {
  const reading =
    'By the engine’s gauge, and by the KV law out of the deltas received: they should be one line.'
  return figure('KV blocks, predicted and measured', reading, plot(report))
}

function plot({ steps, engine }: SweepReport): string {
  const points = steps.flatMap(({ kv_series }) => kv_series)
  if (points.length === 0)
    return emptyChart('Neither gauge nor law: nothing is known of the cache.')
  const startMs = steps[0]?.started_ms ?? 0
  const endMs = Math.max(...points.map(({ at_ms }) => at_ms), steps.at(-1)?.ended_ms ?? 0)
  const most = Math.max(
    ...points.map((point) => Math.max(point.measured_blocks ?? 0, point.predicted_blocks)),
    1,
  )
  const blocksMax = engine.kv_blocks_max
  // The engine's limit is drawn only up to 5 times the highest value: a higher one would press all
  // curves against the base line.
  const showsLimit = blocksMax !== null && blocksMax <= most * 5
  const top = Math.max(most, showsLimit ? blocksMax : 0) * 1.08
  const x = linearScale([0, endMs - startMs], [PLOT.left, PLOT.right])
  const y = linearScale([0, top], [PLOT.bottom, PLOT.top + 8])
  const measured = linesOf(steps, (point) => point.measured_blocks, { x, y, startMs })
  const predicted = linesOf(steps, (point) => point.predicted_blocks, { x, y, startMs })
  const isMeasured = measured.some((point) => point !== null)
  return [
    bands(steps, x, startMs),
    valueAxis(
      evenTicks(top).map((blocks) => ({ at: y(blocks), text: String(blocks) })),
      'KV blocks',
    ),
    timeAxis(endMs - startMs, x),
    showsLimit ? boundLine(y(blocksMax), `all ${blocksMax}`) : '',
    polyline(predicted, 's1 wide'),
    polyline(measured, 's3'),
    endNames([
      { y: PLOT.bottom - 44, text: 'law', kind: 's1' },
      ...(isMeasured ? [{ y: PLOT.bottom - 30, text: 'gauge', kind: 's3' }] : []),
    ]),
  ].join('')
}

type Point = StepReport['kv_series'][number]

/** One line per step: between steps nothing is measured. */
function linesOf(
  steps: readonly StepReport[],
  value: (point: Point) => number | null,
  { x, y, startMs }: { x: Scale; y: Scale; startMs: number },
): (readonly [number, number] | null)[] {
  const total = steps.reduce((sum, { kv_series }) => sum + kv_series.length, 0)
  const stride = Math.ceil(total / POINTS_MAX)
  return steps.flatMap(({ kv_series }) => [
    null,
    ...kv_series
      .filter((_, index) => index % stride === 0)
      .map((point) => {
        const blocks = value(point)
        return blocks === null ? null : ([x(point.at_ms - startMs), y(blocks)] as const)
      }),
  ])
}

function bands(steps: readonly StepReport[], x: Scale, startMs: number): string {
  return steps
    .map(({ sessions, started_ms, ended_ms }, index) => {
      const from = x(started_ms - startMs)
      const to = x((ended_ms ?? started_ms) - startMs)
      const band = element('rect', {
        ...{ x: from, y: PLOT.top, width: Math.max(0, to - from), height: PLOT.bottom - PLOT.top },
        class: index % 2 === 0 ? 'band' : 'band other',
      })
      const name = to - from < 24 ? '' : String(sessions)
      return (
        band + label(name, { x: (from + to) / 2, y: PLOT.top - 4, anchor: 'middle', kind: 'name' })
      )
    })
    .join('')
}

function timeAxis(durationMs: number, x: Scale): string {
  const minutes = durationMs / 60_000
  const stepMs = minutes < 2 ? 10_000 : evenStepMs(minutes)
  const count = Math.floor(durationMs / stepMs) + 1
  const thin = Math.ceil(count / 8)
  const ticks = Array.from({ length: count }, (_, index) => index * stepMs)
    .filter((_, index) => index % thin === 0)
    .map((atMs) => ({ at: x(atMs), text: clockText(atMs) }))
  return baseAxis(ticks, 'time; numbers above: sessions of the step')
}

function evenStepMs(minutes: number): number {
  const wanted = minutes / 6
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120]
  return (steps.find((step) => step >= wanted) ?? 240) * 60_000
}
