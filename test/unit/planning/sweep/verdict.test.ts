import { describe, expect, it } from 'vitest'
import type { StepFigures } from '../../../../src/planning/sweep/step-figures.js'
import { milliseconds, spanText, stepVerdict } from '../../../../src/planning/sweep/verdict.js'
import { figuresOf, spreadOf } from './sweep-figures.js'

const BOUNDS = { slaMs: 2000, deltaDelayMs: 0, pace: 1, audioMs: 600_000 }
const verdictOf = (changes: Partial<StepFigures>, bounds = BOUNDS) =>
  stepVerdict(figuresOf(changes), bounds)

describe('stepVerdict', () => {
  it('holds where nothing is wrong, and has nothing to say after ten minutes', () => {
    expect(verdictOf({})).toEqual({ verdict: 'holds', reasons: [], notes: [] })
  })

  it.each<[string, Partial<StepFigures>, RegExp]>([
    ['lag above the bound', { delta_lag_ms: spreadOf(2001) }, /lag p99 is 2\.0 s/],
    ['no delta', { delta_lag_ms: null }, /No delta came/],
    [
      'one session far behind the others',
      { p95_lag_ms_of_worst_session: { session: 12, ms: 31_000 } },
      /Session 12 fared badly: its own lag p95 is 31 s/,
    ],
    ['a late end', { finalization_ms: spreadOf(2500) }, /Finalisation p95 is 2\.5 s/],
    ['more than 1 % of overrun', { overrun_ms: spreadOf(6100) }, /6\.1 s longer than its audio/],
    ['a preemption', { preemptions: 1 }, /preempted 1 times/],
    ['lost deltas', { unverified_sessions: 2 }, /2 sessions got another number of deltas/],
    ['a failed warm-up', { ending: 'warm_up_failed', warm_up_error: 'Gone.' }, /failed: Gone\./],
    [
      'sessions that end badly',
      {
        outcomes: [
          { outcome: 'ok', code: null, sessions: 5 },
          { outcome: 'closed', code: 'close_1012', sessions: 2 },
          { outcome: 'rejected', code: 'http_503', sessions: 1 },
        ],
      },
      /^3 of 8 sessions did not end well: 2 × closed \(close_1012\), 1 × rejected \(http_503\)\.$/,
    ],
  ])('fails with %s', (_, changes, sentence) => {
    const { verdict, reasons } = verdictOf(changes)
    expect(verdict).toBe('fails')
    expect(reasons).toEqual([expect.stringMatching(sentence)])
  })

  it.each([
    ['full by the gauge', { usage_peak: 0.98 }, /KV cache is full: deadlock/],
    ['full by the law alone', { usage_peak: null, predicted_peak_blocks: 1700 }, /deadlock/],
    ['not full', { usage_peak: 0.4 }, /stopped answering every session, with its KV cache at 40 %/],
    [
      'not full by the law alone',
      { usage_peak: null, predicted_peak_blocks: 864 },
      /with its KV cache at 50 %/,
    ],
  ])('names a standstill for what it is: %s', (_, kv, sentence) => {
    const figures = figuresOf({ ending: 'deadlock' })
    const outcomes = [{ outcome: 'timeout' as const, code: 'deadlock', sessions: 8 }]
    const changed = { ...figures, outcomes, kv: { ...figures.kv, ...kv } }
    const { verdict, reasons } = stepVerdict(changed, BOUNDS)
    expect(verdict).toBe('fails')
    expect(reasons).toEqual([expect.stringMatching(sentence)])
  })

  it('adds the delay that the engine has by design to every bound', () => {
    const late = { delta_lag_ms: spreadOf(9000), finalization_ms: spreadOf(9000) }
    expect(verdictOf(late).verdict).toBe('fails')
    expect(verdictOf(late, { ...BOUNDS, deltaDelayMs: 8000 }).verdict).toBe('holds')
  })

  it('allows a short step to overrun by the bound, because it ends with the tail', () => {
    const tail = { overrun_ms: spreadOf(900) }
    expect(verdictOf(tail, { ...BOUNDS, audioMs: 3000 }).verdict).toBe('holds')
  })

  it('knows nothing when the load generator was late, and says so', () => {
    const late = verdictOf({ sender_slip_ms: spreadOf(120), delta_lag_ms: spreadOf(5000) })
    expect(late.verdict).toBe('unclear')
    expect(late.reasons[0]).toMatch(/load generator was itself late \(slip p99 120 ms\)/)
    const bit = verdictOf({ sender_slip_ms: spreadOf(30) })
    expect(bit).toMatchObject({ verdict: 'holds', notes: [expect.stringMatching(/itself late/)] })
  })

  it('knows that sessions broke, whoever was late', () => {
    const outcomes = [{ outcome: 'closed', code: 'close_1006', sessions: 1 }] as const
    const slip = { sender_slip_ms: spreadOf(120) }
    expect(verdictOf({ ...slip, outcomes: [...outcomes] }).verdict).toBe('fails')
  })

  it('knows nothing of a step that was stopped', () => {
    expect(verdictOf({ ending: 'stopped' }).verdict).toBe('unclear')
  })

  it('says what becomes of a short step by the KV law', () => {
    const outlook = { plateau_blocks: 2496, plateau_after_ms: 653_000, full_after_ms: 417_000 }
    expect(verdictOf({ held_ms: 60_000, kv_outlook: outlook }).notes).toEqual([
      'By the KV law the cache is full after 6:57 min unless sessions are rotated: 2496 blocks are wanted after 10:53 min, and there are 1728.',
    ])
    const room = { ...outlook, plateau_blocks: 624, full_after_ms: null }
    expect(verdictOf({ held_ms: 60_000, kv_outlook: room }).notes).toEqual([
      'By the KV law it goes on: 624 of 1728 blocks are held after 10:53 min.',
    ])
  })
})

describe('times as one reads them', () => {
  it.each([
    [0.4, '0 ms'],
    [999, '999 ms'],
    [2100, '2.1 s'],
    [31_000, '31 s'],
  ])('%f ms is %s', (durationMs, text) => {
    expect(milliseconds(durationMs)).toBe(text)
  })
  it.each([
    [45_000, '45 s'],
    [275_000, '4:35 min'],
    [3_605_000, '60:05 min'],
  ])('a span of %d ms is %s', (durationMs, text) => {
    expect(spanText(durationMs)).toBe(text)
  })
})
