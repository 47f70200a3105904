import { describe, expect, it } from 'vitest'
import type { LaneChain } from '../../../../src/admission/lane/lane-chain.js'
import type { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import { lanesRunning, leasesOf } from '../../../../src/admission/ledger/ledger-changes.js'
import { StopRequested } from '../../../../src/kernel/errors.js'
import { enginePlan, recording } from '../../planning/night-nights.js'
import { AdmissionBench, pausesEvery, signal } from '../admission-bench.js'

/** One engine with one lane on it, of a recording with a pause every 8 s. */
function oneLane(options: { frames: number; pace?: number; plan?: ReturnType<typeof enginePlan> }) {
  const { frames, pace = 1, plan = enginePlan('elastic') } = options
  const bench = new AdmissionBench({ gpu: plan })
  const { clients } = bench.worker('one')
  const client = clients.gpu as NonNullable<typeof clients.gpu>
  const chain = bench.chain(client, { cuts: pausesEvery(frames, 100), pace })
  const next = async () => await bench.clock.run(chain.next({ signal }))
  const must = async () => (await next()) as LegLease
  const ours = async () => (await bench.read('gpu')).chains.find(({ id }) => id === 'job/0')
  return { bench, client, chain, next, must, ours }
}

/** Carries a lane leg by leg, as it is told to. @returns its legs */
async function carried(bench: AdmissionBench, chain: LaneChain, frameMs = 80): Promise<LegLease[]> {
  const legs: LegLease[] = []
  const sent: Promise<void>[] = []
  const work = async () => {
    for (;;) {
      const lease = await chain.next({ signal })
      if (lease === null) break
      legs.push(lease)
      sent.push(bench.carry(lease, frameMs))
    }
    await Promise.all(sent)
  }
  await bench.clock.run(work())
  return legs
}

describe('a lane', () => {
  it('begins with the leg that its admission granted', async () => {
    const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
    const worker = bench.worker('one')
    const [chain] = (await worker.lanesOf(recording('job', 900))) as [LaneChain]
    const granted = leasesOf(await bench.read('gpu'))
    const lease = await chain.next({ signal })
    expect(granted.map(({ leg }) => leg)).toEqual([lease?.entry])
    expect(lease).toMatchObject({ index: 0, fromFrame: 0, chainId: 'job/0' })
    expect(lease?.startMs).toBe(bench.clock.monotonicMs() + 1_000)
  })

  it('leases a leg at once where there is room, and goes on through its audio to the end', async () => {
    const { bench, chain, ours } = oneLane({ frames: 16_000 })
    const legs = await carried(bench, chain)
    expect(legs.length).toBeGreaterThan(2)
    expect(legs.map(({ index }) => index)).toEqual(legs.map((_, at) => at))
    expect(legs[0]?.fromFrame).toBe(0)
    for (const [at, leg] of legs.entries()) {
      expect(leg.planned.endFrame).toBe(legs[at + 1]?.fromFrame ?? 16_000)
      expect(leg.planned.cut).toBe(at === legs.length - 1 ? 'end' : 'pause')
    }
    expect(await ours()).toBeUndefined()
    expect(bench.clock.monotonicMs()).toBeGreaterThan(16_000 * 80)
  })

  it('opens the next session a second before the old one ends, and holds both', async () => {
    const { bench, client, chain, next, must } = oneLane({ frames: 9_000 })
    const first = await must()
    const sent = bench.carry(first)
    const second = await must()
    expect(second.startMs - bench.clock.monotonicMs()).toBe(1_000)
    expect(second.startMs).toBe(first.startMs + first.frames * 80)
    const ledger = await bench.read('gpu')
    expect(leasesOf(ledger).map(({ leg }) => leg.index)).toEqual([0, 1])
    expect(lanesRunning(ledger)).toBe(1)
    await bench.clock.run(sent)
    expect(leasesOf(await bench.read('gpu')).map(({ leg }) => leg.index)).toEqual([1])
    await client.read({ signal })
    expect([chain.exists(first), chain.exists(second)]).toEqual([false, true])
    const last = bench.carry(second)
    expect(await next()).toBeNull()
    await bench.clock.run(last)
  })

  it('changes over at twice the speed where it is replayed so fast', async () => {
    const { bench, chain } = oneLane({ frames: 16_000, pace: 2 })
    const legs = await carried(bench, chain, 40)
    const [first, second] = legs as [LegLease, LegLease]
    expect(second.startMs - first.startMs).toBe(first.frames * 40)
    expect(legs.at(-1)?.planned.endFrame).toBe(16_000)
  })

  it('that is sent as fast as the engine goes changes over by what was sent', async () => {
    const { bench, chain } = oneLane({ frames: 16_000, pace: 0 })
    const startMs = bench.clock.monotonicMs()
    const legs = await carried(bench, chain, 5)
    expect(legs.length).toBeGreaterThan(1)
    expect(legs.map(({ planned }) => planned.endFrame).at(-1)).toBe(16_000)
    expect(bench.clock.monotonicMs() - startMs).toBeLessThan((16_000 * 80) / 2)
  })

  it.each(['fixed', 'profile', 'reserve'] as const)(
    'keeps the legs that the policy %s has planned',
    async (policy) => {
      const { bench, chain } = oneLane({ frames: 16_000, plan: enginePlan(policy) })
      const legs = await carried(bench, chain)
      expect(legs.map(({ frames }) => frames)).toEqual([7_500, 7_500, 1_000])
    },
  )

  it('that is told to stop waits for nothing more', async () => {
    const { bench, chain, must } = oneLane({ frames: 16_000 })
    await must()
    const stop = new AbortController()
    const waiting = chain.next({ signal: stop.signal })
    const reason = new StopRequested('internal', 'Enough.')
    await bench.pass(1_000)
    stop.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })

  it('goes on at once when its session has ended before its time', async () => {
    const { bench, chain, must } = oneLane({ frames: 16_000 })
    const first = await must()
    const waiting = chain.next({ signal })
    await bench.pass(20_000)
    const atMs = bench.clock.monotonicMs()
    await first.close({ signal })
    const second = await bench.clock.run(waiting)
    expect(bench.clock.monotonicMs() - atMs).toBeLessThan(1_000)
    expect(second?.fromFrame).toBe(first.planned.endFrame)
  })
})

describe('the cut of a running leg', () => {
  /** Runs until so long before the end of its first leg; then much is found to be needed. */
  async function running(beforeEndMs: number) {
    const lane = oneLane({ frames: 16_000 })
    const first = await lane.must()
    const waiting = lane.chain.next({ signal })
    const until = async (atMs: number) =>
      await lane.bench.pass(atMs - lane.bench.clock.monotonicMs())
    await until(first.startMs + first.frames * 80 - beforeEndMs)
    return { ...lane, first, waiting, until }
  }

  it('stays where it is while nothing of what is held would fit', async () => {
    const { bench, client, first, waiting } = await running(200_000)
    const end = first.planned.endFrame
    client.setPlan(enginePlan('elastic', { kvBlocks: 20 }))
    const before = await bench.read('gpu')
    await bench.pass(100_000)
    expect([first.planned.endFrame, await bench.read('gpu')]).toEqual([end, before])
    client.setPlan(enginePlan('elastic'))
    expect(await bench.clock.run(waiting)).not.toBeNull()
  })

  it('stays where its sender has come to the last frame already', async () => {
    const { bench, first, waiting, ours } = await running(200_000)
    const { frames } = first
    // Sent faster than its time, as after a long stall.
    await bench.clock.run(Promise.resolve(first.permit(frames - 1, first.startMs, { signal })))
    expect(first.isSpent).toBe(true)
    const before = await ours()
    await bench.pass(100_000)
    expect([first.frames, await ours()]).toEqual([frames, before])
    expect(await bench.clock.run(waiting)).toMatchObject({ fromFrame: frames })
  })
})

describe('a cut that is being moved', () => {
  it('is not passed by its sender before the ledger has answered', async () => {
    const { bench, chain, must } = oneLane({ frames: 16_000 })
    const first = await must()
    const waiting = chain.next({ signal })
    const seen: { waits: boolean; isSpent: boolean }[] = []
    const asked: (Promise<void> | undefined)[] = []
    bench.beforeWrite = async () => {
      if (seen.length > 0) return
      asked.push(first.permit(first.frames - 1, first.startMs, { signal }))
      seen.push({ waits: asked[0] !== undefined, isSpent: first.isSpent })
    }
    await bench.pass(50_000)
    expect(seen).toEqual([{ waits: true, isSpent: false }])
    await bench.clock.run(Promise.all(asked))
    expect(await bench.clock.run(waiting)).toMatchObject({ index: 1 })
  })
})

describe('a session that has ended', () => {
  it('is gone from a ledger that was lost meanwhile, and nothing is written', async () => {
    const { bench, must, ours } = oneLane({ frames: 3_000 })
    const lease = await must()
    await bench.flush('gpu')
    bench.beforeWrite = async () => {
      throw new Error('Nothing is to be written.')
    }
    await lease.close({ signal })
    await lease.close({ signal })
    expect(await ours()).toBeUndefined()
  })
})

describe('a lane that finds no room', () => {
  it('stands in the ledger with all its audio, and goes on when there is some', async () => {
    const { bench, chain, ours } = oneLane({
      frames: 5_000,
      plan: enginePlan('elastic', { lanes: 1 }),
    })
    await bench.put('gpu', bench.foreign('other/0'))
    const sinceMs = bench.nowMs
    const waiting = chain.next({ signal })
    await bench.pass(20_000)
    expect(await ours()).toMatchObject({ legs: [], restFrames: 5_000, parkedSinceMs: sinceMs })
    await bench.takeOut('gpu', 'other/0')
    const lease = await bench.clock.run(waiting)
    expect(lease?.fromFrame).toBe(0)
    expect(await ours()).toMatchObject({ legs: [{ open: true }], parkedSinceMs: null })
  })

  it('writes that once, however long it waits', async () => {
    const { bench, chain } = oneLane({
      frames: 5_000,
      plan: enginePlan('elastic', { lanes: 1 }),
    })
    await bench.put('gpu', bench.foreign('other/0'))
    let writes = 0
    bench.beforeWrite = async () => {
      writes += 1
    }
    const stop = new AbortController()
    const waiting = chain.next({ signal: stop.signal }).catch(() => null)
    await bench.pass(25_000)
    stop.abort()
    expect([await waiting, writes]).toEqual([null, 1])
  })

  it('lets those be that have planned for what is free, and takes it after 5 s', async () => {
    const { bench, must } = oneLane({
      frames: 1_000,
      plan: enginePlan('profile', { kvBlocks: 40 }),
    })
    // It holds little until its second leg, which isn't open yet, needs all there is.
    const planned = bench.foreign('other/0', { frames: 100 })
    const [leg] = planned.legs as [(typeof planned.legs)[0]]
    const later = { ...leg, index: 1, open: false, frames: 3_000 }
    const times = { openMs: bench.nowMs + 8_000, startMs: bench.nowMs + 9_000 }
    await bench.put('gpu', { ...planned, legs: [leg, { ...later, ...times }] })
    const startMs = bench.clock.monotonicMs()
    await must()
    const waitedMs = bench.clock.monotonicMs() - startMs
    expect(waitedMs).toBeGreaterThan(5_000)
    expect(waitedMs).toBeLessThanOrEqual(7_000)
  })

  /** Runs up to where a change-over finds room for all but the smallest session. */
  async function crowdedChange(policy: 'profile' | 'elastic') {
    const lane = oneLane({ frames: 16_000, plan: enginePlan(policy) })
    const { bench, client, chain, must } = lane
    const first = await must()
    const sent = bench.carry(first)
    const waiting = chain.next({ signal })
    for (;;) {
      const endMs = first.startMs + first.frames * 80
      const leftMs = endMs - 1_200 - bench.clock.monotonicMs()
      if (leftMs <= 0) break
      await bench.pass(Math.min(leftMs, 5_000))
    }
    const end = first.planned.endFrame
    await bench.put('gpu', bench.foreign('other/0', { ageMs: 18_000 }))
    const { curve } = enginePlan(policy)
    const kvBlocks = curve.peakBlocks(end) + curve.peakBlocks(250) + curve.openBlocks - 1
    client.setPlan(enginePlan(policy, { kvBlocks }))
    return { ...lane, first, end, sent, waiting }
  }

  it('for its change-over lets its leg end, and is carried again from there', async () => {
    const { bench, first, end, sent, waiting, ours } = await crowdedChange('profile')
    await bench.pass(1_000)
    expect(await ours()).toMatchObject({ legs: [{ index: 0, open: true }], restFrames: 8_500 })
    expect((await ours())?.parkedSinceMs).toBe(bench.nowMs - 800)
    await bench.clock.run(sent)
    const second = (await bench.clock.run(waiting)) as LegLease
    expect(second).toMatchObject({ index: 1, fromFrame: end })
    expect(second.startMs).toBeGreaterThan(first.startMs + end * 80)
    expect(await ours()).toMatchObject({
      legs: [{ index: 1, open: true }, {}],
      parkedSinceMs: null,
    })
  })

  it('for its change-over moves the cut on where it may choose one', async () => {
    const { bench, first, end, sent, waiting, ours } = await crowdedChange('elastic')
    await bench.pass(4_000)
    // It carries on with its first leg, and is in nobody's way.
    expect(await ours()).toMatchObject({ parkedSinceMs: null })
    await bench.takeOut('gpu', 'other/0')
    const second = (await bench.clock.run(waiting)) as LegLease
    expect(first.planned.endFrame).toBeGreaterThan(end)
    expect(second.fromFrame).toBe(first.planned.endFrame)
    expect(second.startMs).toBe(first.startMs + first.frames * 80)
    await bench.clock.run(sent)
  })
})

describe('a lane on an engine that may carry fewer than it does', () => {
  it('pauses at its change-over until there is a place again', async () => {
    const { bench, chain, must, ours } = oneLane({ frames: 16_000 })
    const first = await must()
    await bench.put('gpu', bench.foreign('other/0', { ageMs: 5_000, frames: 16_000 }))
    await bench.write('gpu', (ledger) => ({ ...ledger, limit: { ...ledger.limit, knee: 1 } }))
    const sent = bench.carry(first)
    const waiting = chain.next({ signal })
    await bench.clock.run(sent)
    await bench.pass(20_000)
    expect(await ours()).toMatchObject({ legs: [] })
    expect((await ours())?.parkedSinceMs).not.toBeNull()
    await bench.takeOut('gpu', 'other/0')
    const second = (await bench.clock.run(waiting)) as LegLease
    expect(second).toMatchObject({ index: 1, fromFrame: first.planned.endFrame })
    expect(second.startMs).toBeGreaterThan(first.startMs + first.frames * 80 + 20_000)
  })
})
