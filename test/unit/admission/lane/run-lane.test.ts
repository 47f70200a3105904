import { describe, expect, it } from 'vitest'
import type { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import { type LaneLeg, type RetryAfter, runLane } from '../../../../src/admission/lane/run-lane.js'
import { leasesOf } from '../../../../src/admission/ledger/ledger-changes.js'
import type { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { sleepFor } from '../../../../src/kernel/clock.js'
import { isStop, StopRequested } from '../../../../src/kernel/errors.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, pausesEvery, signal } from '../admission-bench.js'

const FRAMES = 18_000
const NO_WAIT: RetryAfter = { delayMs: 0, orFewerLeases: false }

type Break = number | 'at the end'

interface Carried {
  /** Legs that were complete, in the order of being told of. */
  complete: LaneLeg<string>[]
  /** All that ran: from which frame, and what became of it. */
  ran: { fromFrame: number; became: 'whole' | 'broken' | 'stopped' }[]
  failures: { fromFrame: number; failures: number }[]
  /** Most leases at a time. */
  most: number
}

/**
 * Carries a lane of 24 min.
 * @param breaks which sessions break, counted from 0 in the order of their opening: after so much
 * audio, or at their very end
 */
async function carry(options: {
  breaks?: Readonly<Record<number, Break>>
  onFailure?: (lease: LegLease) => RetryAfter
  stop?: AbortSignal
  bench?: AdmissionBench
}) {
  const { breaks = {}, onFailure = () => NO_WAIT, stop = signal } = options
  const { bench = new AdmissionBench({ gpu: enginePlan('elastic') }) } = options
  const client = bench.worker('one').clients.gpu as LedgerClient
  const chain = bench.chain(client, { cuts: pausesEvery(FRAMES, 100) })
  const carried: Carried = { complete: [], ran: [], failures: [], most: 0 }
  const runLeg = async (lease: LegLease, { signal: inner }: { signal: AbortSignal }) => {
    const { fromFrame } = lease
    carried.most = Math.max(carried.most, leasesOf(await bench.read('gpu')).length)
    const breaksAt = breaks[carried.ran.length] ?? null
    const note: Carried['ran'][0] = { fromFrame, became: 'whole' }
    carried.ran.push(note)
    try {
      await send(bench, lease, breaksAt, inner)
    } catch (error) {
      note.became = isStop(error) ? 'stopped' : 'broken'
      throw error
    }
    return `text from ${fromFrame}`
  }
  const work = runLane<string>(chain, {
    runLeg,
    onFailure: (_, { lease, fromFrame, failures }) => {
      carried.failures.push({ fromFrame, failures })
      return onFailure(lease)
    },
    onLeg: (leg) => carried.complete.push(leg),
    signal: stop,
  })
  return { bench, carried, work }
}

/** Sends a leg whose end may move while it runs. */
async function send(
  bench: AdmissionBench,
  lease: LegLease,
  breaksAt: Break | null,
  inner: AbortSignal,
): Promise<void> {
  const { clock } = bench
  for (let frame = 0; frame < lease.frames; frame += 1) {
    if (typeof breaksAt === 'number' && frame * 80 >= breaksAt) throw new Error('It broke.')
    if (frame !== lease.frames - 1 && lease.blockFrameAfter(frame) !== frame) continue
    await clock.sleepUntil(lease.startMs + frame * 80, { signal: inner })
    await lease.permit(frame, clock.monotonicMs(), { signal: inner })
  }
  await sleepFor(clock, 300, { signal: inner })
  if (breaksAt === 'at the end') throw new Error('It broke.')
}

const segments = ({ complete }: Carried) => {
  return complete.map(({ segment: { fromFrame, endFrame } }) => [fromFrame, endFrame])
}

/** Whether legs cover the lane, each beginning where the one before has ended. */
function coversAll(carried: Carried): boolean {
  const ends = segments(carried)
  return (
    ends.every(([from], at) => from === (at === 0 ? 0 : ends[at - 1]?.[1])) &&
    ends.at(-1)?.[1] === FRAMES
  )
}

describe('a lane that is carried', () => {
  it('tells of its legs in order, with what each of them gave, and holds nothing after', async () => {
    const { bench, carried, work } = await carry({})
    await bench.clock.run(work)
    expect(carried.complete.length).toBeGreaterThan(2)
    expect(coversAll(carried)).toBe(true)
    for (const { segment, engine, result } of carried.complete) {
      expect([engine, result]).toEqual(['gpu', `text from ${segment.fromFrame}`])
    }
    expect(carried.ran.map(({ became }) => became)).toEqual(carried.complete.map(() => 'whole'))
    expect([carried.most, carried.failures]).toEqual([2, []])
    expect((await bench.read('gpu')).chains).toEqual([])
  })

  it('carries a leg that broke again from its beginning, and keeps what came before', async () => {
    const { bench, carried, work } = await carry({ breaks: { 1: 9_000 } })
    await bench.clock.run(work)
    const [first, broken, again] = carried.ran
    expect([first, broken, again].map((leg) => leg?.became)).toEqual(['whole', 'broken', 'whole'])
    expect(again?.fromFrame).toBe(broken?.fromFrame)
    expect(carried.failures).toEqual([{ fromFrame: broken?.fromFrame, failures: 1 }])
    expect(coversAll(carried)).toBe(true)
  })

  it('goes on from as far as the text of a leg that broke is kept', async () => {
    const { bench, carried, work } = await carry({
      breaks: { 0: 200_000 },
      onFailure: ({ fromFrame }) => ({ ...NO_WAIT, fromFrame: fromFrame + 1_500 }),
    })
    await bench.clock.run(work)
    expect(carried.ran.slice(0, 2)).toEqual([
      { fromFrame: 0, became: 'broken' },
      { fromFrame: 1_500, became: 'whole' },
    ])
    expect(segments(carried)[0]?.[0]).toBe(1_500)
    expect(segments(carried).at(-1)?.[1]).toBe(FRAMES)
  })

  it('keeps the leg before one that broke while both ran', async () => {
    const { bench, carried, work } = await carry({ breaks: { 1: 0 } })
    await bench.clock.run(work)
    expect(carried.ran.slice(0, 3).map(({ became }) => became)).toEqual([
      'whole',
      'broken',
      'whole',
    ])
    expect(coversAll(carried)).toBe(true)
  })

  it('stops the leg after one that broke while both ran, and carries both again', async () => {
    const { bench, carried, work } = await carry({ breaks: { 0: 'at the end' } })
    await bench.clock.run(work)
    const [first, second, again] = carried.ran
    expect([first, second, again].map((leg) => leg?.became)).toEqual(['broken', 'stopped', 'whole'])
    expect([first?.fromFrame, again?.fromFrame]).toEqual([0, 0])
    expect(carried.failures).toEqual([{ fromFrame: 0, failures: 1 }])
    expect(coversAll(carried)).toBe(true)
  })

  it('counts the failures of one leg, and anew once a later one fails', async () => {
    const { bench, carried, work } = await carry({ breaks: { 0: 2_000, 1: 0, 2: 80, 4: 2_000 } })
    await bench.clock.run(work)
    const later = carried.ran[4]?.fromFrame
    expect(later).toBeGreaterThan(0)
    expect(carried.failures).toEqual([
      { fromFrame: 0, failures: 1 },
      { fromFrame: 0, failures: 2 },
      { fromFrame: 0, failures: 3 },
      { fromFrame: later, failures: 1 },
    ])
    expect(coversAll(carried)).toBe(true)
  })

  it('waits as long as it is told before it tries again', async () => {
    const run = async (delayMs: number) => {
      const onFailure = () => ({ delayMs, orFewerLeases: false })
      const { bench, work } = await carry({ breaks: { 0: 2_000 }, onFailure })
      await bench.clock.run(work)
      return bench.clock.monotonicMs()
    }
    const laterMs = (await run(600_000)) - (await run(10_000))
    expect(Math.abs(laterMs - 590_000)).toBeLessThan(20_000)
  })

  it('is given up where the failure says so, with nothing held', async () => {
    const given = new Error('It is hopeless.')
    const { bench, carried, work } = await carry({
      breaks: { 0: 2_000 },
      onFailure: () => {
        throw given
      },
    })
    await expect(bench.clock.run(work)).rejects.toBe(given)
    expect(carried.complete).toEqual([])
    expect((await bench.read('gpu')).chains).toEqual([])
  })

  it('is stopped with all its legs, and holds nothing after', async () => {
    const stop = new AbortController()
    const { bench, carried, work } = await carry({ stop: stop.signal })
    const outcome = work.catch((error) => error)
    while (carried.ran.length < 2) await bench.pass(1_000)
    const reason = new StopRequested('canceled', 'Enough.')
    stop.abort(reason)
    expect(await bench.clock.run(outcome)).toBe(reason)
    expect(carried.ran.map(({ became }) => became)).toEqual(['stopped', 'stopped'])
    expect((await bench.read('gpu')).chains).toEqual([])
    expect(carried.failures).toEqual([])
  })

  it('fails with the store where that is out for a minute, and says so', async () => {
    const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
    const { work } = await carry({ bench })
    await bench.pass(10_000)
    bench.storeOutUntilMs = Number.POSITIVE_INFINITY
    await expect(bench.clock.run(work)).rejects.toMatchObject({ code: 'queue_unavailable' })
  })

  it('fails with the store also before its first leg, which nobody has failed at', async () => {
    const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
    bench.storeOutUntilMs = Number.POSITIVE_INFINITY
    const { carried, work } = await carry({ bench })
    await expect(bench.clock.run(work)).rejects.toMatchObject({ code: 'queue_unavailable' })
    expect([carried.ran, carried.failures]).toEqual([[], []])
  })
})
