import type { StepReport, SweepReport } from '../../../planning/sweep/report.js'
import type { Spread } from '../../../planning/sweep/spread.js'
import { milliseconds, spanText } from '../../../planning/sweep/verdict.js'
import { escapeHtml } from './svg.js'

const SUMMARY: readonly [head: string, cell: (step: StepReport) => string][] = [
  ['sessions', ({ sessions }) => String(sessions)],
  ['ended well', (step) => String(okSessions(step))],
  ['fed for', ({ held_ms }) => spanText(held_ms)],
  ['first delta p95', ({ first_delta_ms }) => latency(first_delta_ms, 'p95')],
  ['first text p95', ({ ttft_ms }) => latency(ttft_ms, 'p95')],
  ['lag p99', ({ delta_lag_ms }) => latency(delta_lag_ms, 'p99')],
  ['finalisation p95', ({ finalization_ms }) => latency(finalization_ms, 'p95')],
  ['deltas/s (due)', (step) => deltaRate(step)],
  ['KV peak (law)', ({ kv }) => kvPeak(kv)],
  ['KV error', ({ kv }) => count(kv.error_blocks_max)],
  ['waiting', ({ waiting_capacity_max: waiting }) => count(waiting)],
]

/** One row per step: the deciding figures, the verdict, its reasons and notes. */
export function summaryTable({ steps }: SweepReport): string {
  const heads = ['verdict', ...SUMMARY.map(([head]) => head)]
  const rows = steps.map((step) => {
    const cells = SUMMARY.map(([, cell]) => `<td>${escapeHtml(cell(step))}</td>`).join('')
    const verdict = `<td class="name verdict ${step.verdict}">${step.verdict}</td>`
    const said = [...step.reasons, ...step.notes].map((line) => `<li>${escapeHtml(line)}</li>`)
    const list = `<td class="said" colspan="${heads.length}"><ul class="said">${said.join('')}</ul></td>`
    return `<tr class="figures">${verdict}${cells}</tr>${said.length > 0 ? `<tr>${list}</tr>` : ''}`
  })
  return section('Every step', heads, rows)
}

const SPREADS: readonly [name: string, of: (step: StepReport) => Spread | null][] = [
  ['first delta', ({ first_delta_ms }) => first_delta_ms],
  ['first text', ({ ttft_ms }) => ttft_ms],
  ['delta lag', ({ delta_lag_ms }) => delta_lag_ms],
  ['finalisation', ({ finalization_ms }) => finalization_ms],
  ['overrun', ({ overrun_ms }) => overrun_ms],
  ['connect', ({ connect_ms }) => connect_ms],
  ['wait for the limiter', ({ queue_wait_ms }) => queue_wait_ms],
  ['sender slip', ({ sender_slip_ms }) => sender_slip_ms],
]

/** How each figure is spread over the sessions of each step. */
export function spreadTable({ steps }: SweepReport): string {
  const heads = ['figure', 'sessions', 'avg', 'p50', 'p95', 'p99', 'max', 'worst session']
  const rows = SPREADS.flatMap(([name, of]) =>
    steps.map((step, index) => {
      const spread = of(step)
      const values = (['avg', 'p50', 'p95', 'p99', 'max'] as const).map((which) =>
        latency(spread, which),
      )
      const cells = [String(step.sessions), ...values, count(spread?.worst_session ?? null)]
      const place = [index === 0 ? 'first' : '', index === steps.length - 1 ? 'last' : '']
      const head = `<td class="name">${index === 0 ? escapeHtml(name) : ''}</td>`
      const data = cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')
      return `<tr class="group ${place.join(' ')}">${head}${data}</tr>`
    }),
  )
  return section('How the figures are spread', heads, rows)
}

function section(title: string, heads: readonly string[], rows: readonly string[]): string {
  const cells = heads
    .map((head) => {
      const kind = head === 'figure' || head === 'verdict' ? ' class="name"' : ''
      return `<th scope="col"${kind}>${escapeHtml(head)}</th>`
    })
    .join('')
  const table = `<table><thead><tr>${cells}</tr></thead><tbody>${rows.join('')}</tbody></table>`
  return `<section class="card"><h2>${title}</h2><div class="scroll">${table}</div></section>`
}

/** Number of sessions of a step that ended well. */
export function okSessions({ outcomes }: Pick<StepReport, 'outcomes'>): number {
  return outcomes.find(({ outcome }) => outcome === 'ok')?.sessions ?? 0
}

/** One value of a spread in ms or s; a dash where nothing was measured. */
export function latency(
  spread: Spread | null,
  which: 'avg' | 'p50' | 'p95' | 'p99' | 'max',
): string {
  return spread === null ? '–' : milliseconds(spread[which])
}

function deltaRate({ deltas_per_second: rate, deltas_per_second_due: due }: StepReport): string {
  return rate === null ? '–' : `${rate.avg.toFixed(0)} (${due.toFixed(0)})`
}

function kvPeak({ measured_peak_blocks: measured, predicted_peak_blocks: law }: StepReport['kv']) {
  return law === null ? count(measured) : `${count(measured)} (${law})`
}

function count(value: number | null): string {
  return value === null ? '–' : String(value)
}
