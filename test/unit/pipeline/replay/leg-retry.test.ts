import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import {
  CapacityError,
  ConfigError,
  InputError,
  UpstreamError,
} from '../../../../src/kernel/errors.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { legRetryMs } from '../../../../src/pipeline/replay/leg-retry.js'
import { AdmissionBench, pausesEvery, signal } from '../../admission/admission-bench.js'
import { enginePlan } from '../../planning/night-nights.js'

const limits = { backoffMs: 5_000, backoffMaxMs: 300_000 }
const broke = new UpstreamError('engine_crashed', 'It broke.')
const first = { failures: 1, outage: null }

/** The waits of so many sessions that broke in one instant. */
function waitsMs(count: number, failures: number, seed: number): number[] {
  const random = seededRandom(seed)
  const uniform = () => random.uniform()
  return Array.from({ length: count }, () =>
    legRetryMs(broke, { failures, outage: null }, limits, uniform),
  )
}

describe('a hundred sessions of an engine that died', () => {
  it('return spread over half of their wait, at any try', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(10_000), (failures, seed) => {
        const waits = waitsMs(100, failures, seed)
        const longestMs = limits.backoffMs * 2 ** (failures - 1)
        expect(Math.min(...waits)).toBeGreaterThan(longestMs / 2)
        expect(Math.max(...waits)).toBeLessThanOrEqual(longestMs)
        // In each quarter of the spread: 25 on average, far from none and from all.
        const quarters = [0, 1, 2, 3].map((quarter) => {
          const fromMs = (longestMs / 2) * (1 + quarter / 4)
          return waits.filter((ms) => ms > fromMs && ms <= fromMs + longestMs / 8).length
        })
        expect(quarters.reduce((sum, count) => sum + count)).toBe(100)
        for (const count of quarters) expect(count).toBeGreaterThanOrEqual(5)
      }),
      { seed: 5, numRuns: 200 },
    )
  })

  it('never come back more than a few in the same tenth of a second', () => {
    const waits = waitsMs(1_000, 1, 7)
    const tenths = new Map<number, number>()
    for (const ms of waits) {
      const tenth = Math.floor(ms / 100)
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1)
    }
    expect(tenths.size).toBe(25)
    expect(Math.max(...tenths.values())).toBeLessThan(80) // 40 on average
  })

  it('open again as spread as they were told to wait, through one ledger', async () => {
    const bench = new AdmissionBench({ gpu: enginePlan('elastic', { kvBlocks: 7_232 }) })
    const { clock } = bench
    const client = bench.worker('one').clients.gpu as LedgerClient
    const lanes = waitsMs(100, 1, 7).map((delayMs, at) => {
      const chain = bench.chain(client, { chainId: `job-${at}/0`, cuts: pausesEvery(1_500, 100) })
      return { chain, delayMs }
    })
    await clock.run(Promise.all(lanes.map(({ chain }) => chain.next({ signal }))))
    const again = { fromFrame: 0, orFewerLeases: false, signal }
    await clock.run(
      Promise.all(lanes.map(({ chain, delayMs }) => chain.restart({ ...again, delayMs }))),
    )
    const fromMs = clock.monotonicMs()
    const perTenth = new Map<number, number>()
    const open = lanes.map(async ({ chain }) => {
      await chain.next({ signal })
      const tenth = Math.floor((clock.monotonicMs() - fromMs) / 100)
      perTenth.set(tenth, (perTenth.get(tenth) ?? 0) + 1)
    })
    await clock.run(Promise.all(open))
    expect(perTenth.size).toBeGreaterThanOrEqual(20)
    expect(Math.max(...perTenth.values())).toBeLessThan(15) // 4 on average
  })

  it('wait longer with every failure, up to the bound', () => {
    const longest = [1, 2, 3, 4].map((failures) =>
      legRetryMs(broke, { failures, outage: null }, { ...limits, backoffMaxMs: 15_000 }, () => 0),
    )
    expect(longest).toEqual([5_000, 10_000, 15_000, 15_000])
  })
})

describe('a leg that failed', () => {
  const retry = (error: unknown, lost: { failures: number; outage: string | null } = first) => {
    return legRetryMs(error, lost, limits, () => 0)
  }

  it.each([
    ['engine_unauthorized', new UpstreamError('engine_unauthorized', 'no')],
    ['an address without an endpoint', new ConfigError('config_invalid', 'no')],
  ])('by %s is carried by another engine', (_, error) => {
    expect(retry(error)).toBe(5_000)
  })

  it('ends the attempt after five tries of it', () => {
    expect(retry(broke, { failures: 4, outage: null })).toBe(40_000)
    expect(() => retry(broke, { failures: 5, outage: null })).toThrow(broke)
  })

  it.each([new InputError('media_corrupt', 'no'), new Error('bug')])(
    'ends the attempt at once where no session helps: %s',
    (error) => {
      expect(() => retry(error)).toThrow(error)
      expect(() => retry(error, { failures: 1, outage: 'All are out.' })).toThrow(error)
    },
  )

  it.each([1, 5, 50])('sends its job back to the queue while no engine is up', (failures) => {
    const thrown = (() => {
      try {
        return retry(broke, { failures, outage: 'All are out.' })
      } catch (error) {
        return error
      }
    })()
    expect(thrown).toBeInstanceOf(CapacityError)
    expect(thrown).toMatchObject({ message: 'All are out.', cause: broke, retryAfterMs: 1_000 })
  })
})
