import { describe, expect, it } from 'vitest'
import { reportHtml } from '../../../../../src/cli/sweep/report/report-html.js'
import { stepReport, sweepReport } from '../../../../../src/planning/sweep/report.js'
import type { StepFigures } from '../../../../../src/planning/sweep/step-figures.js'
import { factsOf, figuresOf, spreadOf } from '../../../planning/sweep/sweep-figures.js'

function page(steps: Partial<StepFigures>[], changes = {}): string {
  const facts = factsOf()
  const changed = { ...facts, engine: { ...facts.engine, ...changes } }
  const reports = steps.map((figures) => {
    return stepReport(figuresOf(figures), [{ label: 'n', text: '8' }], changed)
  })
  return reportHtml(sweepReport(changed, reports))
}

const STEPS: Partial<StepFigures>[] = [
  { sessions: 8 },
  { sessions: 32, delta_lag_ms: spreadOf(60) },
  { sessions: 64, delta_lag_ms: spreadOf(5000) },
]

/** Elements that are opened are closed, in order; void ones are few and known. */
function unclosed(html: string): string[] {
  const open: string[] = []
  const wrong: string[] = []
  for (const [, slash, name = '', self] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/gi)) {
    if (self || ['meta', 'br'].includes(name)) continue
    if (!slash) open.push(name)
    else if (open.pop() !== name) wrong.push(name)
  }
  return [...open, ...wrong]
}

describe('reportHtml', () => {
  it('is one well-formed page that fetches nothing', () => {
    const html = page(STEPS)
    expect(unclosed(html)).toEqual([])
    expect(html).toContain("default-src 'none'")
    expect(html).not.toMatch(/<(script|link|img|iframe)|\bsrc=|\bhref=|url\(|@import/)
    expect(html).not.toMatch(/NaN|undefined|Infinity/)
    expect(html.match(/<svg/g)).toHaveLength(4)
  })

  it('marks the knee and the bound', () => {
    const html = page(STEPS)
    expect(html).toContain('knee: 32')
    expect(html).toContain('bound 2.0 s')
    expect(html).toContain('32 sessions hold (for 10:00 min), 64 do not.')
  })

  it('says in large letters that it was a stand-in, and only then', () => {
    expect(page(STEPS, { isStandin: true })).toContain(
      '<div class="standin">Stand-in engine: no GPU was measured',
    )
    expect(page(STEPS)).not.toContain('<div class="standin">')
  })

  it('shows what the engine says of itself as text', () => {
    const html = page(STEPS, { model: '<script>alert("x")</script>' })
    expect(html).not.toContain('<script')
    expect(html).toContain('&lt;script&gt;')
  })

  it.each<[string, Partial<StepFigures>[]]>([
    ['no step', []],
    ['one step', [{}]],
    ['no delta', [{ delta_lag_ms: null, worst_lag_ms_by_session: [null], kv_series: [] }]],
    [
      'nothing measured',
      [{ first_delta_ms: null, ttft_ms: null, finalization_ms: null, deltas_per_second: null }],
    ],
    [
      'no gauge',
      [
        {
          kv_series: [{ at_ms: 1000, measured_blocks: null, predicted_blocks: 4 }],
          ended_ms: null,
        },
      ],
    ],
    ['lag of 0', [{ delta_lag_ms: spreadOf(0), worst_lag_ms_by_session: [0] }]],
  ])('has a page for %s', (_, steps) => {
    const html = page(steps)
    expect(unclosed(html)).toEqual([])
    expect(html).not.toMatch(/NaN|undefined|Infinity/)
  })
})
