import type { SessionOutcome } from '../../../planning/sweep/events.js'
import type { StepReport, SweepReport } from '../../../planning/sweep/report.js'
import { outcomeText } from '../../../planning/sweep/verdict.js'
import { baseAxis, figure, linearScale, PLOT } from './chart-frame.js'
import { element, escapeHtml, label } from './svg.js'

const ORDER: readonly SessionOutcome[] = ['ok', 'timeout', 'closed', 'error', 'rejected']
const BAR_HEIGHT_MAX = 34

/** How the sessions of each step ended, as shares of all. */
export function outcomeChart(report: SweepReport): string {
  const shown = ORDER.filter((outcome) => {
    return report.steps.some(({ outcomes }) => outcomes.some((count) => count.outcome === outcome))
  })
  const reading = 'Every session of a step must end well for it to hold.'
  return figure('How sessions ended', reading, plot(report.steps) + legend(shown))
}

function plot(steps: readonly StepReport[]): string {
  const x = linearScale([0, 1], [PLOT.left, PLOT.right])
  const top = PLOT.top + 20
  const rowHeight = (PLOT.bottom - top) / Math.max(1, steps.length)
  const barHeight = Math.min(BAR_HEIGHT_MAX, rowHeight * 0.62)
  const rows = steps.map((step, index) => {
    const middle = top + (index + 0.5) * rowHeight
    const bar = { top: middle - barHeight / 2, height: barHeight, x }
    return (
      label(String(step.sessions), { x: PLOT.left - 8, y: middle + 4, anchor: 'end' }) +
      segments(step, bar) +
      label(step.verdict, { x: PLOT.right + 8, y: middle + 4, kind: 'name' })
    )
  })
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => ({ at: x(share), text: `${share * 100} %` }))
  const head = label('sessions', { x: 0, y: 12, kind: 'axis' })
  return head + rows.join('') + baseAxis(ticks, 'share of the sessions')
}

function segments(
  { outcomes, sessions }: StepReport,
  bar: { top: number; height: number; x: (share: number) => number },
): string {
  let before = 0
  return ORDER.flatMap((outcome) => outcomes.filter((count) => count.outcome === outcome))
    .map((count) => {
      const from = bar.x(before / sessions)
      before += count.sessions
      const width = bar.x(before / sessions) - from
      const says = element('title', {}, escapeHtml(`${count.sessions} × ${outcomeText(count)}`))
      const box = element(
        'rect',
        {
          ...{ x: from, y: bar.top, width: Math.max(0, width - 2), height: bar.height, rx: 3 },
          class: `fill ${count.outcome}`,
        },
        says,
      )
      const fits = width > 26
      const middle = { x: from + width / 2 - 1, y: bar.top + bar.height / 2 + 4 }
      const text = String(count.sessions)
      return box + (fits ? label(text, { ...middle, anchor: 'middle', kind: 'onfill' }) : '')
    })
    .join('')
}

function legend(shown: readonly SessionOutcome[]): string {
  return shown
    .map((outcome, index) => {
      const x = PLOT.left + index * 84
      const swatch = element('rect', {
        ...{ x, y: PLOT.top - 6, width: 10, height: 10, rx: 2 },
        class: `fill ${outcome}`,
      })
      return swatch + label(outcome, { x: x + 15, y: PLOT.top + 3, kind: 'name' })
    })
    .join('')
}
