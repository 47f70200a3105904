import type { SweepReport } from '../../../planning/sweep/report.js'
import { milliseconds } from '../../../planning/sweep/verdict.js'
import { baseAxis, boundLine, emptyChart, figure, logScale, PLOT } from './chart-frame.js'
import { lagAxis, lagBoundMs, lagDomain } from './latency-chart.js'
import { dot, label } from './svg.js'

/** Share of a step's column that its dots are spread over. */
const SPREAD = 0.7
/** Spreads dots evenly over a column without knowing how many will come. */
const GOLDEN_RATIO = 0.618_033_988_75

/** The worst lag of every session, one column per step. */
export function sessionChart(report: SweepReport): string {
  const reading = 'Each dot is one session: a step is only as good as its unluckiest one.'
  return figure('Worst lag of each session', reading, plot(report))
}

function plot(report: SweepReport): string {
  const { steps } = report
  if (steps.every((step) => step.delta_lag_ms === null)) return emptyChart('No delta came.')
  const boundMs = lagBoundMs(report)
  const domain = lagDomain(report)
  const y = logScale(domain, [PLOT.bottom, PLOT.top + 8])
  const columnWidth = (PLOT.right - PLOT.left) / steps.length
  const middleOf = (index: number) => PLOT.left + (index + 0.5) * columnWidth
  const dots = steps.flatMap(({ sessions, worst_lag_ms_by_session: worst }, index) =>
    worst.flatMap((lagMs, session) => {
      if (lagMs === null) return []
      const aside = (((session + 1) * GOLDEN_RATIO) % 1) - 0.5
      const x = middleOf(index) + aside * SPREAD * columnWidth
      const kind = lagMs > boundMs ? 'bad' : 's1'
      const says = `${sessions} sessions, session ${session}: ${milliseconds(lagMs)}`
      return [dot([x, y(lagMs)], kind, says, worst.length > 32 ? 2.5 : 3.5)]
    }),
  )
  return [
    lagAxis(domain, y),
    baseAxis(
      steps.map(({ sessions }, index) => ({ at: middleOf(index), text: String(sessions) })),
      'sessions at a time',
    ),
    boundLine(y(boundMs), ''),
    label(`bound ${milliseconds(boundMs)}`, { x: PLOT.left + 4, y: y(boundMs) - 5, kind: 'name' }),
    ...dots,
  ].join('')
}
