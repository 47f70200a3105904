import { describe, expect, it } from 'vitest'
import { runSeed } from './seed-run.js'

/** A share of what `npm run sim` runs by the thousand; always the same seeds, for a gate. */
const PLAN_SEEDS = 120
const SESSION_SEEDS = 5
const TWICE_SEEDS = 10
const PLAIN = { policy: null, isChaos: false, isLive: false } as const

function seeds(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1)
}

describe('simulated nights', () => {
  it(`keep every promise with plans and ledgers, ${PLAN_SEEDS} seeds`, async () => {
    let legs = 0
    for (const seed of seeds(PLAN_SEEDS)) {
      const wish = { ...PLAIN, depth: 1, isTwice: seed <= TWICE_SEEDS } as const
      const outcome = await runSeed(seed, wish)
      expect({ seed, faults: outcome.faults }).toEqual({ seed, faults: [] })
      legs += outcome.legs
    }
    expect(legs).toBeGreaterThan(PLAN_SEEDS)
  })

  it(`keep them with real sessions, ${SESSION_SEEDS} seeds`, async () => {
    let jobs = 0
    for (const seed of seeds(SESSION_SEEDS)) {
      const outcome = await runSeed(seed, { ...PLAIN, depth: 2, isTwice: false })
      expect({ seed, faults: outcome.faults }).toEqual({ seed, faults: [] })
      jobs += outcome.jobs
    }
    expect(jobs).toBeGreaterThan(SESSION_SEEDS)
  })
})
