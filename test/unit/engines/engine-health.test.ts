import { describe, expect, it } from 'vitest'
import { EngineHealth } from '../../../src/engines/engine-health.js'

const CERTAIN = { certain: true }
const DOUBTFUL = { certain: false }

function upAt(nowMs: number, uniform = () => 0): EngineHealth {
  const health = new EngineHealth(uniform, nowMs)
  health.answered(nowMs)
  health.warmed(nowMs)
  return health
}

describe('an engine', () => {
  it('carries nothing before it was looked at and warmed up', () => {
    const health = new EngineHealth(() => 0, 1_000)
    expect(health).toMatchObject({ state: 'out', nextLookMs: 1_000 })
    expect(health.reason).toContain('not been looked at')
    health.answered(1_010)
    expect(health).toMatchObject({ state: 'warming', reason: null })
    health.warmed(4_000)
    expect(health).toMatchObject({ state: 'up', nextLookMs: 9_000 })
  })

  it('that says itself that it is dead goes out at once', () => {
    const health = upAt(0)
    health.failed('It is dead.', 5_000, CERTAIN)
    expect(health).toMatchObject({ state: 'out', reason: 'It is dead.', nextLookMs: 6_000 })
  })

  it('that does not answer once is asked again before it goes out', () => {
    const health = upAt(0)
    health.failed('No answer.', 5_000, DOUBTFUL)
    expect(health).toMatchObject({ state: 'up', nextLookMs: 6_000 })
    health.failed('No answer.', 6_000, DOUBTFUL)
    expect(health.state).toBe('out')
  })

  it('that answers in between has only missed one', () => {
    const health = upAt(0)
    for (let nowMs = 5_000; nowMs < 60_000; nowMs += 10_000) {
      health.failed('No answer.', nowMs, DOUBTFUL)
      health.answered(nowMs + 1_000)
    }
    expect(health.state).toBe('up')
  })

  it('that gives no text goes out, whatever it says of itself', () => {
    const health = upAt(0)
    health.silent(40_000)
    expect(health.state).toBe('out')
    expect(health.reason).toContain('no text')
    const { nextLookMs } = health
    health.silent(40_500)
    expect(health.nextLookMs).toBe(nextLookMs)
  })

  it('whose warm-up fails is out again', () => {
    const health = new EngineHealth(() => 0, 0)
    health.answered(0)
    health.failed('No end.', 300_000, DOUBTFUL)
    expect(health).toMatchObject({ state: 'out', reason: 'No end.', nextLookMs: 301_000 })
  })

  it('that stays away is looked at after 1 s, 2 s, 4 s … and at last every 15 s', () => {
    const health = upAt(0)
    let nowMs = 0
    const waitsMs = Array.from({ length: 7 }, () => {
      health.failed('Gone.', nowMs, CERTAIN)
      const waitMs = health.nextLookMs - nowMs
      nowMs = health.nextLookMs
      return waitMs
    })
    expect(waitsMs).toEqual([1, 2, 4, 8, 15, 15, 15].map((s) => s * 1_000))
  })

  it('is looked at earlier by up to a half, by chance', () => {
    const wait = (uniform: number) => {
      const health = upAt(0, () => uniform)
      health.failed('Gone.', 0, CERTAIN)
      return health.nextLookMs
    }
    expect([wait(0), wait(0.5), wait(0.75)]).toEqual([1_000, 750, 625])
  })

  it('that comes back and fails within a minute keeps its backoff, after a minute it is forgiven', () => {
    const backoffAfter = (upMs: number) => {
      const health = upAt(0)
      for (const nowMs of [0, 1_000, 3_000]) health.failed('Gone.', nowMs, CERTAIN)
      health.answered(10_000)
      health.warmed(10_000)
      const endMs = 10_000 + upMs
      health.answered(endMs)
      health.failed('Gone.', endMs, CERTAIN)
      return health.nextLookMs - endMs
    }
    expect(backoffAfter(59_000)).toBe(8_000)
    expect(backoffAfter(60_000)).toBe(1_000)
  })

  it('is looked at at once when something is suspected, but not sooner while it is out', () => {
    const health = upAt(0)
    health.suspected(2_000)
    expect(health.nextLookMs).toBe(2_000)
    health.failed('Gone.', 2_000, CERTAIN)
    health.suspected(2_100)
    expect(health.nextLookMs).toBe(3_000)
  })

  it('asserts what can not be', () => {
    expect(() => new EngineHealth(() => 0, 0).warmed(0)).toThrow('only an engine that warms up')
    const warming = new EngineHealth(() => 0, 0)
    warming.answered(0)
    expect(() => warming.answered(1)).toThrow('not looked at')
  })
})
