import { describe, expect, it } from 'vitest'
import type { LaneChain, LaneChainOptions } from '../../../../src/admission/lane/lane-chain.js'
import type { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import { leasesOf } from '../../../../src/admission/ledger/ledger-changes.js'
import type { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { UpstreamError } from '../../../../src/kernel/errors.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, pausesEvery, signal } from '../admission-bench.js'

const LONGEST_MS = 7_500 * 80

/** A lane of 20 min on the first of two engines; `moveTo` sends it to another one. */
function laneOn(plan = enginePlan('elastic')) {
  const bench = new AdmissionBench({ a: plan, b: plan })
  const { a, b } = bench.worker('one').clients as Record<'a' | 'b', LedgerClient>
  let chosen = a
  const chooseEngine: LaneChainOptions['chooseEngine'] = () => chosen
  const chain = bench.chain(a, { cuts: pausesEvery(15_000, 100), chooseEngine })
  const moveTo = (client: LedgerClient) => {
    chosen = client
  }
  const next = async () => (await bench.clock.run(chain.next({ signal }))) as LegLease
  const on = async (engine: 'a' | 'b') => {
    return (await bench.read(engine)).chains.find(({ id }) => id === 'job/0')
  }
  return { bench, a, b, chain, moveTo, next, on }
}

/** How long the lane waits for its next leg. */
async function waitedMs(bench: AdmissionBench, chain: LaneChain): Promise<number> {
  const sinceMs = bench.clock.monotonicMs()
  await bench.clock.run(chain.next({ signal }))
  return bench.clock.monotonicMs() - sinceMs
}

const again = { fromFrame: 0, delayMs: 20_000, orFewerLeases: false, signal }

describe('a lane that is carried again', () => {
  it('gives back all it holds, and waits as long as it was told', async () => {
    const { bench, chain, next, on } = laneOn()
    const first = await next()
    await bench.pass(60_000)
    await bench.clock.run(chain.restart({ ...again, fromFrame: 500 }))
    expect(await on('a')).toBeUndefined()
    const restartedMs = bench.clock.monotonicMs()
    const lease = await next()
    expect(lease).toMatchObject({ fromFrame: 500, index: 1 })
    expect(lease.startMs).toBe(restartedMs + 20_000)
    // The session of the leg that failed is closed later; nothing of it is left to be closed.
    await first.close({ signal })
    expect(leasesOf(await bench.read('a')).map(({ leg }) => leg.index)).toEqual([1])
    const second = await next()
    expect(second).toMatchObject({ index: 2, fromFrame: lease.planned.endFrame })
  })

  it('comes earlier when one session less runs on its engine than when it failed', async () => {
    const { bench, chain, next } = laneOn()
    await bench.put('a', bench.foreign('x/0', { frames: 2_000 }))
    await bench.put('a', bench.foreign('y/0', { frames: 2_000 }))
    await next()
    const restart = { ...again, delayMs: 60_000, orFewerLeases: true }
    await bench.clock.run(chain.restart(restart))
    const waiting = chain.next({ signal })
    await bench.pass(10_000)
    expect(leasesOf(await bench.read('a'))).toHaveLength(2)
    await bench.takeOut('a', 'x/0')
    const freedMs = bench.clock.monotonicMs()
    const lease = await bench.clock.run(waiting)
    expect(lease?.startMs).toBeLessThanOrEqual(freedMs + 2_000)
    expect(leasesOf(await bench.read('a'))).toHaveLength(2)
  })

  it('comes at its time when nobody has gone', async () => {
    const { bench, chain, next } = laneOn()
    await bench.put('a', bench.foreign('x/0', { frames: 2_000 }))
    await next()
    await bench.clock.run(chain.restart({ ...again, orFewerLeases: true }))
    expect(Math.abs((await waitedMs(bench, chain)) - 19_000)).toBeLessThanOrEqual(1_000)
  })

  it.each([2_500, 2_837, 3_412, 3_999, 4_001, 5_000])(
    'opens its session when it was told to, to the millisecond: %i ms',
    async (delayMs) => {
      const { bench, chain, next } = laneOn()
      await next()
      await bench.clock.run(chain.restart({ ...again, delayMs }))
      const restartedMs = bench.clock.monotonicMs()
      const waiting = chain.next({ signal })
      const lease = (await bench.clock.run(waiting)) as LegLease
      const openedMs = bench.clock.monotonicMs() - restartedMs
      expect(openedMs).toBeGreaterThanOrEqual(delayMs - 1_000)
      expect(openedMs).toBeLessThan(delayMs - 1_000 + 5)
      expect(Math.abs(lease.startMs - restartedMs - delayMs)).toBeLessThan(5)
    },
  )

  it('need not wait elsewhere, where its session was closed for the others', async () => {
    const { bench, chain, moveTo, b, next } = laneOn()
    await next()
    await bench.clock.run(chain.restart({ ...again, orFewerLeases: true }))
    moveTo(b)
    expect(await waitedMs(bench, chain)).toBe(0)
    expect(chain.engine).toBe('b')
  })

  it('waits elsewhere, too, where it has failed by itself', async () => {
    const { bench, chain, moveTo, b, next } = laneOn()
    await next()
    await bench.clock.run(chain.restart(again))
    moveTo(b)
    expect(await waitedMs(bench, chain)).toBeGreaterThanOrEqual(19_000)
  })
})

describe('a lane that goes on at another engine', () => {
  it('begins there when its leg ends, which holds its session here until it is closed', async () => {
    const { bench, chain, moveTo, b, next, on } = laneOn()
    const first = await next()
    moveTo(b)
    const second = await next()
    expect([first.client.engine, second.client.engine]).toEqual(['a', 'b'])
    expect(second.fromFrame).toBe(first.planned.endFrame)
    expect(second.startMs).toBeGreaterThanOrEqual(first.startMs + first.frames * 80)
    expect(await on('a')).toMatchObject({ legs: [{ index: 0, open: true }], restFrames: 0 })
    expect(await on('b')).toMatchObject({ legs: [{ index: 1, open: true }, {}] })
    await first.close({ signal })
    expect(await on('a')).toBeUndefined()
    await bench.clock.run(chain.end({ signal }))
    expect(await on('b')).toBeUndefined()
  })

  it('gives back on both when it is over', async () => {
    const { bench, chain, moveTo, b, next, on } = laneOn()
    await next()
    moveTo(b)
    await next()
    await bench.clock.run(chain.end({ signal }))
    expect([await on('a'), await on('b')]).toEqual([undefined, undefined])
  })

  it('leaves the line of the one where it has waited', async () => {
    const { bench, chain, moveTo, b, on } = laneOn(enginePlan('elastic', { lanes: 1 }))
    await bench.put('a', bench.foreign('x/0'))
    const waiting = chain.next({ signal })
    await bench.pass(3_000)
    expect(await on('a')).toMatchObject({ legs: [], parkedSinceMs: expect.any(Number) })
    moveTo(b)
    expect(await bench.clock.run(waiting)).toMatchObject({ fromFrame: 0 })
    expect(await on('a')).toBeUndefined()
    expect(await on('b')).toMatchObject({ parkedSinceMs: null })
  })

  it('leaves alone what another worker holds of it where it was', async () => {
    const { bench, chain, moveTo, b, next, on } = laneOn()
    await next()
    await bench.takeOut('a', 'job/0')
    await bench.put('a', bench.foreign('job/0'))
    moveTo(b)
    await next()
    expect(await on('a')).toMatchObject({ worker: 'other' })
    await bench.clock.run(chain.end({ signal }))
    expect(await on('a')).toMatchObject({ worker: 'other' })
  })
})

describe('a lane that another worker has taken', () => {
  it('waits until the other one is through with it, and writes nothing before', async () => {
    const { bench, chain, next, on } = laneOn()
    const first = await next()
    await bench.takeOut('a', 'job/0')
    const foreign = bench.foreign('job/0', { frames: 9_000 })
    await bench.put('a', foreign)
    const waiting = chain.next({ signal })
    await bench.pass(LONGEST_MS)
    await first.close({ signal })
    await bench.pass(LONGEST_MS)
    expect(await on('a')).toEqual(foreign)
    await bench.takeOut('a', 'job/0')
    expect(await bench.clock.run(waiting)).toMatchObject({ fromFrame: first.planned.endFrame })
    expect(await on('a')).toMatchObject({ worker: 'one' })
  })
})

describe('a store that is out', () => {
  it('is waited for by who opens a leg', async () => {
    const { bench, next } = laneOn()
    bench.storeOutUntilMs = bench.clock.monotonicMs() + 30_000
    const lease = await next()
    expect(lease.startMs).toBeGreaterThan(bench.storeOutUntilMs)
  })

  it('ends the wait after a minute', async () => {
    const { bench, chain } = laneOn()
    bench.storeOutUntilMs = Number.POSITIVE_INFINITY
    const sinceMs = bench.clock.monotonicMs()
    const failed = await bench.clock.run(chain.next({ signal }).catch((error) => error))
    expect(failed).toBeInstanceOf(UpstreamError)
    expect(failed).toMatchObject({ code: 'queue_unavailable', message: 'The store is out.' })
    expect(Math.abs(bench.clock.monotonicMs() - sinceMs - 60_000)).toBeLessThan(1_000)
  })
})
