import { describe, expect, it } from 'vitest'
import { type Chain, EMPTY_LEDGER } from '../../../src/admission/ledger/ledger.js'
import { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import { chainAt, NightLedgers } from '../../../src/planning/night-ledgers.js'
import { enginePlan } from './night-nights.js'

const options = { signal: new AbortController().signal }

/** Two legs of 100 s, and 100 s more that no leg is planned for. */
function chain(): Chain {
  const leg = { frames: 1_250, behindMs: 0, stoppedFrame: null }
  return {
    ...{ id: 'job/0', worker: 'w', pace: 1, live: false, parkedSinceMs: null },
    legs: [
      { ...leg, index: 0, open: true, openMs: 0, startMs: 1_000 },
      { ...leg, index: 1, open: false, openMs: 100_000, startMs: 101_000 },
    ],
    restFrames: 1_250,
  }
}

describe('chainAt', () => {
  const at = (nowMs: number, policy: 'profile' | 'elastic' = 'profile') =>
    chainAt(chain(), enginePlan(policy), { writtenMs: 0, nowMs })

  it.each([
    // the first leg is held until its tail and some grace have passed
    [50_000, [0], [0], 1_250],
    [100_500, [0, 1], [0, 1], 1_250],
    [110_000, [1], [1], 1_250],
    [251_000, [], [], 625],
    [400_000, [], [], 0],
  ])('opens and ends planned legs at their times: %d ms', (nowMs, _held, open, restFrames) => {
    const { legs, restFrames: rest } = at(nowMs)
    expect(legs.filter((leg) => leg.open).map(({ index }) => index)).toEqual(open)
    expect(rest).toBe(restFrames)
  })

  it.each([
    [0, 3_763],
    [101_000, 2_500],
    [301_000, 0],
    [900_000, 0],
  ])('takes all of an elastic lane for what is left: %d ms', (nowMs, restFrames) => {
    expect(at(nowMs, 'elastic')).toMatchObject({ legs: [], restFrames })
  })

  it('gives the same, read once or written back and read again', () => {
    for (const policy of ['profile', 'elastic'] as const) {
      const plan = enginePlan(policy)
      const once = chainAt(chain(), plan, { writtenMs: 0, nowMs: 180_000 })
      const half = chainAt(chain(), plan, { writtenMs: 0, nowMs: 120_000 })
      const twice = chainAt(half, plan, { writtenMs: 120_000, nowMs: 180_000 })
      expect(twice).toEqual(once)
    }
  })
})

describe('NightLedgers', () => {
  it('writes only what nobody has written before, and lets time pass over it', async () => {
    const clock = new SimulatedClock()
    const store = new NightLedgers({ clock, plans: new Map([['e', enginePlan('profile')]]) })
    await clock.run(
      (async () => {
        expect(await store.read('e', options)).toMatchObject({ revision: 0, ledger: EMPTY_LEDGER })
        const ledger = { ...EMPTY_LEDGER, chains: [chain()] }
        expect(await store.write('e', ledger, { revision: 0, ...options })).toBe(1)
        expect(await store.write('e', EMPTY_LEDGER, { revision: 0, ...options })).toBeNull()
        await clock.sleepUntil(251_000, options)
        const { ledger: later, revision } = await store.read('e', options)
        expect(revision).toBe(1)
        expect(later.chains[0]).toMatchObject({ legs: [], restFrames: 625 })
      })(),
    )
  })
})
