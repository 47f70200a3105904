import { describe, expect, it } from 'vitest'
import { type StepReport, stepReport, sweepReport } from '../../../../src/planning/sweep/report.js'
import type { StepFigures } from '../../../../src/planning/sweep/step-figures.js'
import { factsOf, figuresOf, spreadOf } from './sweep-figures.js'

const facts = factsOf()
const step = (sessions: number, changes: Partial<StepFigures> = {}): StepReport =>
  stepReport(figuresOf({ sessions, ...changes }), [], facts)
const resultOf = (...steps: StepReport[]) => sweepReport(facts, steps).result

describe('sweepReport', () => {
  it('names the highest step that holds and the lowest that fails', () => {
    const slow = { delta_lag_ms: spreadOf(5000) }
    expect(resultOf(step(8), step(32), step(64, slow))).toEqual({
      highest_held: 32,
      held_ms: 600_000,
      lowest_failed: 64,
      knee: 32,
      sentence: '32 sessions hold (for 10:00 min), 64 do not.',
      because: ['Delta lag p99 is 5.0 s, more than 2.0 s.'],
      outlook: null,
    })
  })

  it('says when the end was not found', () => {
    const { sentence, lowest_failed } = resultOf(step(8), step(32), step(64))
    expect(sentence).toBe('64 sessions hold (for 10:00 min), the most that was tried.')
    expect(lowest_failed).toBeNull()
  })

  it('says when nothing holds, and when nothing can be said', () => {
    expect(resultOf(step(8, { delta_lag_ms: null })).sentence).toBe('Not even 8 sessions hold.')
    const { sentence } = resultOf(step(8, { ending: 'stopped' }))
    expect(sentence).toMatch(/^Nothing can be said/)
  })

  it('says what the KV law makes of a short step', () => {
    const outlook = { plateau_blocks: 2496, plateau_after_ms: 653_000, full_after_ms: 417_000 }
    expect(resultOf(step(32, { held_ms: 60_000, kv_outlook: outlook })).outlook).toBe(
      'By the KV law these 32 fill the cache after 6:57 min unless they are rotated.',
    )
  })

  it('has no knee where lag stays flat, or nothing comes after the bend', () => {
    expect(resultOf(step(8), step(32), step(64)).knee).toBeNull()
    expect(resultOf(step(8, { delta_lag_ms: spreadOf(5000) })).knee).toBeNull()
    const bends = [20, 99, 101].map((lag, index) =>
      step(8 * (index + 1), { delta_lag_ms: spreadOf(lag) }),
    )
    expect(resultOf(...bends).knee).toBe(16)
  })

  it('prices an hour of audio', () => {
    expect(step(8).cost_per_audio_hour).toBe(0.25)
    expect(step(8, { x_realtime: null }).cost_per_audio_hour).toBeNull()
  })

  it('states its definitions', () => {
    const { definitions } = sweepReport(facts, [])
    expect(Object.keys(definitions)).toEqual(
      expect.arrayContaining(['ttft_ms', 'delta_lag_ms', 'finalization_ms', 'overrun_ms', 'holds']),
    )
  })
})
