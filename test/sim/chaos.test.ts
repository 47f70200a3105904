import { describe, expect, it } from 'vitest'
import { runSeed, type SeedWish } from './seed-run.js'

/** A share of what `npm run sim -- --chaos` runs by the thousand; always the same seeds. */
const PLAN_SEEDS = 14
const SESSION_SEEDS = 6
const TWICE_SEEDS = 2

/** What happened in all of these nights together. */
async function nights(count: number, depth: SeedWish['depth']): Promise<Record<string, number>> {
  const totals: Record<string, number> = {}
  for (let seed = 1; seed <= count; seed += 1) {
    const isTwice = seed <= TWICE_SEEDS
    const wish = { depth, policy: null, isChaos: true, isLive: false, isTwice } as const
    const { faults, counts, jobs } = await runSeed(seed, wish)
    expect({ seed, faults }).toEqual({ seed, faults: [] })
    for (const [name, times] of Object.entries({ ...counts, jobs })) {
      totals[name] = (totals[name] ?? 0) + times
    }
  }
  return totals
}

describe('nights in which all that can break does', () => {
  it(`lose nothing with plans and ledgers, ${PLAN_SEEDS} seeds`, async () => {
    const totals = await nights(PLAN_SEEDS, 1)
    expect(totals.jobs).toBeGreaterThan(PLAN_SEEDS)
    // A night without trouble would prove nothing.
    for (const kind of ['kill', 'vanish', 'freeze', 'suspend', 'drain', 'flush', 'engine-death']) {
      expect({ kind, times: totals[kind] ?? 0 }).not.toEqual({ kind, times: 0 })
    }
    expect(totals.redoneMsMax).toBeGreaterThan(0)
  })

  it(`lose nothing with real sessions, ${SESSION_SEEDS} seeds`, async () => {
    const totals = await nights(SESSION_SEEDS, 2)
    expect(totals.jobs).toBeGreaterThan(SESSION_SEEDS)
    expect(totals.kill ?? 0).toBeGreaterThan(0)
  })
})
