import { describe, expect, it } from 'vitest'
import { compareSweeps } from '../../../../src/planning/sweep/compare.js'
import { stepReport, sweepReport } from '../../../../src/planning/sweep/report.js'
import type { StepFigures } from '../../../../src/planning/sweep/step-figures.js'
import { factsOf, figuresOf, spreadOf } from './sweep-figures.js'

function report(steps: Partial<StepFigures>[], facts = factsOf()) {
  return sweepReport(
    facts,
    steps.map((changes) => stepReport(figuresOf(changes), [], facts)),
  )
}

describe('compareSweeps', () => {
  const a = report([{ sessions: 8 }, { sessions: 32, delta_lag_ms: spreadOf(100) }])
  const b = report([
    { sessions: 32, delta_lag_ms: spreadOf(150), x_realtime: 32, ttft_ms: spreadOf(710) },
    { sessions: 64 },
  ])
  const comparison = compareSweeps(a, b)
  const figure = (name: string) =>
    comparison.steps[0]?.figures.find((change) => change.figure === name)

  it('lays the common steps side by side and names the others', () => {
    expect(comparison.steps.map(({ sessions }) => sessions)).toEqual([32])
    expect(comparison).toMatchObject({ only_in_a: [8], only_in_b: [64], differences: [] })
    expect(comparison.highest_held).toEqual({ a: 32, b: 64 })
  })

  it('judges each figure by its own sense', () => {
    const lag = { a: 100, b: 150, change: 0.5, judgement: 'worse' }
    expect(figure('delta_lag_ms_p99')).toMatchObject(lag)
    expect(figure('x_realtime')).toMatchObject({ a: 8, b: 32, change: 3, judgement: 'better' })
    expect(figure('ttft_ms_p95')).toMatchObject({ judgement: 'same' })
  })

  it('judges nothing where a figure is missing, and no share of 0', () => {
    const none = compareSweeps(report([{ delta_lag_ms: null }]), report([{}])).steps[0]
    expect(none?.figures.find(({ figure: name }) => name === 'delta_lag_ms_p50')).toMatchObject({
      a: null,
      change: null,
      judgement: 'unknown',
    })
    const zero = report([{ sender_slip_ms: spreadOf(0) }])
    const more = compareSweeps(zero, report([{}])).steps[0]
    expect(more?.figures.find(({ figure: name }) => name === 'sender_slip_ms_p99')).toMatchObject({
      change: null,
      judgement: 'worse',
    })
  })

  it('says where the two are not comparable', () => {
    const facts = factsOf()
    const other = report([{}], { ...facts, engine: { ...facts.engine, version: '0.29.0' } })
    expect(compareSweeps(a, other).differences).toEqual(['engine version: 0.32.0 against 0.29.0'])
  })
})
