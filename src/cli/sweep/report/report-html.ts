import type { SweepReport } from '../../../planning/sweep/report.js'
import { spanText } from '../../../planning/sweep/verdict.js'
import { latency, spreadTable, summaryTable } from './figures-tables.js'
import { kvChart } from './kv-chart.js'
import { latencyChart } from './latency-chart.js'
import { outcomeChart } from './outcome-chart.js'
import { REPORT_STYLE } from './report-style.js'
import { sessionChart } from './session-chart.js'
import { escapeHtml } from './svg.js'

/** A sweep's report as one HTML page that loads nothing from outside. Pure. */
export function reportHtml(report: SweepReport): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(`Capacity sweep ${report.sweep_id}`)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
${head(report)}
${tiles(report)}
<div class="charts">
${[latencyChart, kvChart, sessionChart, outcomeChart].map((chart) => chart(report)).join('\n')}
</div>
${summaryTable(report)}
${spreadTable(report)}
${notes(report)}
${yapView(report)}
${terms('What was measured, and how', definitionsOf(report))}
${terms('Engine, load and machine', factsOf(report))}
</main>
</body>
</html>
`
}

function head({ engine, started_at, load, result, stopped }: SweepReport): string {
  const standin = engine.is_standin
    ? '<div class="standin">Stand-in engine: no GPU was measured<small>Its figures show that the sweep works. They say nothing about how many sessions a real engine can run.</small></div>'
    : ''
  const model = `${engine.is_standin ? 'Stand-in for ' : ''}${engine.model}`
  const what = `${model}, vLLM ${engine.version ?? 'of unknown version'}, at ${engine.url}`
  const when = `${started_at.slice(0, 16).replace('T', ' ')} UTC`
  const how = `${load.seconds} s a step at pace ${load.pace}, ${when}`
  const more = [
    ...(stopped ? ['The sweep was stopped before its end.'] : []),
    ...result.because,
    ...(result.outlook === null ? [] : [result.outlook]),
  ]
  const why = more.length === 0 ? '' : `<p class="why">${escapeHtml(more.join(' '))}</p>`
  return `<header><h1>Capacity sweep</h1>${standin}
<p class="sentence">${escapeHtml(result.sentence)}</p>
${why}<p class="subject">${escapeHtml(`${what}. ${how}.`)}</p></header>`
}

function tiles(report: SweepReport): string {
  const { result, steps } = report
  const held = steps.find(({ sessions }) => sessions === result.highest_held)
  const shown: [value: string, what: string][] = [
    [
      result.highest_held === null ? 'none' : String(result.highest_held),
      'sessions, the most that hold',
    ],
    [
      result.lowest_failed === null ? 'none' : String(result.lowest_failed),
      'sessions, the fewest that fail',
    ],
  ]
  if (held) {
    const cost = held.cost_per_audio_hour
    shown.push(
      [latency(held.delta_lag_ms, 'p99'), `delta lag p99 at ${held.sessions} sessions`],
      [latency(held.finalization_ms, 'p95'), 'finalisation p95 there'],
    )
    if (held.x_realtime !== null) {
      shown.push([`${Math.round(held.x_realtime * 24)} h`, 'of audio a day at that rate'])
    }
    if (cost !== null) shown.push([cost.toFixed(4), 'cost of an hour of audio'])
  }
  const boxes = shown.map(
    ([value, what]) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(what)}</span></div>`,
  )
  return `<div class="tiles">${boxes.join('')}</div>`
}

function notes({ notes: lines }: SweepReport): string {
  if (lines.length === 0) return ''
  const items = lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')
  return `<section class="card"><h2>Of the engine</h2><ul class="said">${items}</ul></section>`
}

function yapView({ steps }: SweepReport): string {
  const blocks = steps.map(({ yap_view: lines }) => {
    const width = Math.max(...lines.map(({ label }) => label.length))
    return lines.map(({ label, text }) => `${label.padEnd(width)}  ${text}`).join('\n')
  })
  return `<details class="card"><summary>As yap’s bench prints it</summary><pre>${escapeHtml(blocks.join('\n\n'))}</pre></details>`
}

function terms(title: string, entries: readonly (readonly [string, string])[]): string {
  const list = entries
    .map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`)
    .join('')
  return `<details class="card"><summary>${escapeHtml(title)}</summary><dl>${list}</dl></details>`
}

function definitionsOf({ definitions }: SweepReport): [string, string][] {
  return Object.entries(definitions).map(([term, text]) => [term, text])
}

function factsOf({
  engine,
  load,
  machine,
  nightscribe,
  sweep_id,
}: SweepReport): [string, string][] {
  const { audio, ...rest } = load
  const known = (value: unknown) => (value === null ? 'not known' : String(value))
  const facts = Object.entries({ sweep_id, nightscribe, machine, ...engine, ...rest })
  const share = Math.round(audio.speech_share * 100)
  const speech = `${audio.name}, ${spanText(audio.duration_ms)}, looped; ${share} % speech`
  return [
    ...facts.map(([term, value]): [string, string] => [term, known(value)]),
    ['audio', speech],
  ]
}
