import { describe, expect, it } from 'vitest'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import { withoutChain } from '../../../src/admission/ledger/ledger-changes.js'
import type { LedgerClient } from '../../../src/admission/ledger/ledger-client.js'
import { StopRequested, UpstreamError } from '../../../src/kernel/errors.js'
import { enginePlan } from '../planning/night-nights.js'
import { AdmissionBench, pausesEvery, signal } from './admission-bench.js'

/** A lane that has begun on the first of two engines, and its lease. */
async function begun(plan = enginePlan('elastic')) {
  const bench = new AdmissionBench({ a: plan, b: plan })
  const { a, b } = bench.worker('one').clients as Record<'a' | 'b', LedgerClient>
  let chosen = a
  const chain = bench.chain(a, { cuts: pausesEvery(15_000, 100), chooseEngine: () => chosen })
  const moveTo = (client: LedgerClient) => {
    chosen = client
  }
  const lease = (await bench.clock.run(chain.next({ signal }))) as LegLease
  const { clock } = bench
  const ours = async () => (await bench.read('a')).chains.find(({ id }) => id === 'job/0')
  /** Comes to a frame so much later than planned. */
  const reach = async (frame: number, lateMs = 0) => {
    await bench.pass(lease.startMs + frame * 80 + lateMs - clock.monotonicMs())
  }
  const ask = (frame: number, by = signal) => {
    return lease.permit(frame, clock.monotonicMs(), { signal: by })
  }
  return { bench, chain, a, b, moveTo, lease, ours, reach, ask }
}

/** All but so many blocks are found to be needed for something else. */
async function shrink(bench: AdmissionBench, kvBlocks: number): Promise<void> {
  await bench.write('a', (ledger) => {
    return { ...ledger, limit: { ...ledger.limit, correctionBlocks: 288 - kvBlocks } }
  })
}

describe('a sender that is on time', () => {
  it('asks nobody while the copy of the ledger is fresh', async () => {
    const { bench, a, lease, reach, ask, ours } = await begun()
    await bench.clock.run(ask(0) as Promise<void>)
    for (const frame of [1, lease.blockFrameAfter(0), lease.blockFrameAfter(100)]) {
      await reach(frame)
      await a.read({ signal })
      expect(ask(frame)).toBeUndefined()
    }
    expect(await ours()).toMatchObject({ legs: [{ behindMs: 0, stoppedFrame: null }, {}] })
  })

  it('asks when its copy is older than 2 s, and is let on without a note', async () => {
    const { bench, lease, reach, ask, ours } = await begun()
    const border = lease.blockFrameAfter(50)
    const before = await ours()
    await reach(border)
    const asked = ask(border)
    expect(asked).toBeInstanceOf(Promise)
    await bench.clock.run(asked as Promise<void>)
    expect(await ours()).toEqual(before)
  })

  it('asks while somebody else on its engine is late', async () => {
    const { bench, a, lease, reach, ask } = await begun()
    const border = lease.blockFrameAfter(0)
    await reach(border)
    const foreign = bench.foreign('late/0')
    const [leg] = foreign.legs
    await bench.put('a', {
      ...foreign,
      legs: [{ ...(leg as NonNullable<typeof leg>), behindMs: 9 }],
    })
    await a.read({ signal })
    expect(ask(border)).toBeInstanceOf(Promise)
  })
})

// issue 5: a machine that was suspended between a lease and its first frame went on as if no time
// had passed, on blocks that others had meanwhile.
describe('a sender that begins', () => {
  it('asks before its first frame, however fresh its copy is', async () => {
    const { bench, a, ask, ours } = await begun()
    await a.read({ signal })
    const before = await ours()
    const asked = ask(0)
    expect(asked).toBeInstanceOf(Promise)
    await bench.clock.run(asked as Promise<void>)
    expect(await ours()).toEqual(before)
  })

  it('gives up at once where its lease was given to others, and does not write it back', async () => {
    const { bench, ask, ours } = await begun()
    await bench.write('a', (ledger) => withoutChain(ledger, 'job/0'))
    const sinceMs = bench.clock.monotonicMs()
    const failed = await bench.clock.run(ask(0)?.catch((error) => error) as Promise<unknown>)
    expect(failed).toMatchObject({
      code: 'engine_overloaded',
      effect: 'none',
      message: expect.stringContaining('job/0 on a went to others'),
    })
    expect(bench.clock.monotonicMs() - sinceMs).toBeLessThan(100)
    expect(await ours()).toBeUndefined()
  })

  it('goes on where what it has told of itself was written, and only the answer was lost', async () => {
    const { bench, reach, ask, ours } = await begun()
    await reach(0, 3_000)
    const [leg, ...rest] = (await ours())?.legs ?? []
    const told = { ...(leg as NonNullable<typeof leg>), behindMs: 2_500, stoppedFrame: 0 }
    await bench.write('a', (ledger) => {
      const chains = ledger.chains.map((each) => ({ ...each, legs: [told, ...rest] }))
      return { ...ledger, chains }
    })
    await bench.clock.run(ask(0) as Promise<void>)
    expect(await ours()).toMatchObject({ legs: [{ behindMs: 3_000, stoppedFrame: null }, {}] })
  })

  it('is not written back by the leg before it', async () => {
    const { bench, chain, a, lease, reach, ask, ours } = await begun()
    await bench.clock.run(ask(0) as Promise<void>)
    const second = (await bench.clock.run(chain.next({ signal }))) as LegLease
    expect((await ours())?.legs.filter(({ open }) => open)).toHaveLength(2)
    await bench.write('a', (ledger) => withoutChain(ledger, 'job/0'))
    await reach(lease.frames - 1)
    await a.read({ signal })
    await bench.clock.run(ask(lease.frames - 1) as Promise<void>)
    expect((await ours())?.legs.map(({ index }) => index)).not.toContain(second.index)
  })
})

describe('a sender that has slipped', () => {
  it('tells how far, and goes on where there is room', async () => {
    const { bench, lease, reach, ask, ours } = await begun()
    const border = lease.blockFrameAfter(0)
    await reach(border, 2_500)
    await bench.clock.run(ask(border) as Promise<void>)
    expect(await ours()).toMatchObject({ legs: [{ behindMs: 2_500, stoppedFrame: null }, {}] })
    expect(lease.entry.behindMs).toBe(2_500)
    expect(lease.dueMs(lease.fromFrame + 1_000)).toBe(lease.startMs + 1_000 * 80 + 2_500)
  })

  it('is stopped at its frame where there is none, and goes on once there is', async () => {
    const { bench, lease, reach, ask, ours } = await begun()
    const border = lease.blockFrameAfter(0)
    await reach(border, 2_000)
    await shrink(bench, 20)
    let isGranted = false
    const asked = ask(border)?.then(() => {
      isGranted = true
    })
    await bench.pass(10_000)
    expect(isGranted).toBe(false)
    expect(await ours()).toMatchObject({ legs: [{ behindMs: 2_000, stoppedFrame: border }, {}] })
    await shrink(bench, 288)
    await bench.clock.run(asked as Promise<void>)
    const [leg] = (await ours())?.legs ?? []
    expect(leg?.stoppedFrame).toBeNull()
    expect(leg?.behindMs).toBeGreaterThanOrEqual(12_000)
    expect(leg?.behindMs).toBeLessThan(12_500)
  })

  it('writes once that it is stopped, however often it asks', async () => {
    const { bench, lease, reach, ask } = await begun()
    await reach(lease.blockFrameAfter(0), 2_000)
    await shrink(bench, 20)
    let writes = 0
    bench.beforeWrite = async () => {
      writes += 1
    }
    const stop = new AbortController()
    const reason = new StopRequested('internal', 'Enough.')
    const asked = ask(lease.blockFrameAfter(0), stop.signal)?.catch((error) => error)
    await bench.pass(20_000)
    stop.abort(reason)
    expect([await asked, writes]).toEqual([reason, 1])
  })

  it('gives up after one to two minutes: its leg is carried again', async () => {
    const { bench, lease, reach, ask } = await begun()
    const border = lease.blockFrameAfter(0)
    await reach(border, 2_000)
    await shrink(bench, 20)
    const sinceMs = bench.clock.monotonicMs()
    const failed = await bench.clock.run(ask(border)?.catch((error) => error) as Promise<unknown>)
    const waitedMs = bench.clock.monotonicMs() - sinceMs
    expect(failed).toBeInstanceOf(UpstreamError)
    expect(failed).toMatchObject({
      code: 'engine_overloaded',
      facts: { chainId: 'job/0', frame: border },
    })
    expect((failed as Error).message).toMatch(/^The engine a had no room to go on .* for \d+ s/)
    expect(waitedMs).toBeGreaterThan(60_000)
    expect(waitedMs).toBeLessThan(121_000)
  })

  it('waits for a store that is out', async () => {
    const { bench, lease, reach, ask } = await begun()
    const border = lease.blockFrameAfter(0)
    await reach(border, 2_000)
    bench.storeOutUntilMs = bench.clock.monotonicMs() + 20_000
    await bench.clock.run(ask(border) as Promise<void>)
    expect(bench.clock.monotonicMs()).toBeGreaterThanOrEqual(bench.storeOutUntilMs)
  })
})

describe('a ledger that was lost', () => {
  it('has the lane again as soon as its sender asks, with all that is planned', async () => {
    const { bench, a, lease, reach, ask, ours } = await begun()
    const before = await ours()
    const border = lease.blockFrameAfter(0)
    await bench.clock.run(ask(0) as Promise<void>)
    await reach(border)
    await bench.flush('a')
    await a.read({ signal })
    const asked = ask(border)
    expect(asked).toBeInstanceOf(Promise)
    await bench.clock.run(asked as Promise<void>)
    expect(before?.legs.length).toBeGreaterThan(1)
    expect(await ours()).toEqual(before)
  })

  it('has only the leg that still runs there of a lane that has moved on', async () => {
    const { bench, chain, a, b, moveTo, lease, ours } = await begun()
    await bench.clock.run(lease.permit(0, lease.startMs, { signal }) as Promise<void>)
    moveTo(b)
    const second = (await bench.clock.run(chain.next({ signal }))) as LegLease
    await bench.flush('a')
    await a.read({ signal })
    const last = lease.frames - 1
    await bench.clock.run(lease.permit(last, lease.startMs, { signal }) as Promise<void>)
    expect(second.client.engine).toBe('b')
    expect(await ours()).toMatchObject({ legs: [{ index: 0, open: true }], restFrames: 0 })
  })

  it('is not written by a sender whose lane another worker carries', async () => {
    const { bench, a, lease, reach, ask, ours } = await begun()
    const border = lease.blockFrameAfter(0)
    await bench.clock.run(ask(0) as Promise<void>)
    await reach(border)
    await bench.flush('a')
    const foreign = bench.foreign('job/0')
    await bench.put('a', foreign)
    await a.read({ signal })
    const sinceMs = bench.clock.monotonicMs()
    const failed = await bench.clock.run(ask(border)?.catch((error) => error) as Promise<unknown>)
    expect(failed).toMatchObject({ code: 'engine_overloaded', effect: 'none' })
    expect(bench.clock.monotonicMs() - sinceMs).toBeLessThan(100)
    expect(await ours()).toEqual(foreign)
  })
})
