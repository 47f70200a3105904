import { describe, expect, it } from 'vitest'
import { InputError, StopRequested } from '../../../../src/kernel/errors.js'
import { enginePlan, recording } from '../../planning/night-nights.js'
import { AdmissionBench, signal } from '../admission-bench.js'

/** A job of so many equal lanes. */
function wide(jobId: string, lanes: number) {
  const demand = recording(jobId, 600)
  return { ...demand, lanes: Array.from({ length: lanes }, () => demand.lanes[0] as never) }
}

function oneEngine(options: Parameters<typeof enginePlan>[1]) {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic', options) })
  return { bench, worker: bench.worker('one') }
}

const waiter = (jobId: string, changes: { lanes?: number; priority?: number } = {}) => ({
  ...{
    tenant: 'default',
    jobId,
    lanes: 1,
    priority: 0,
    deadlineMs: null,
    remainingMs: 60_000,
    noRoomMs: null,
  },
  ...{ sinceMs: 0 },
  ...changes,
})

describe('a job that asks for its sessions', () => {
  it('gets all of them at once, and leaves the line', async () => {
    const { bench, worker } = oneEngine({ lanes: 3 })
    await worker.lanesOf(wide('first', 2))
    expect(await worker.admit(wide('job', 2))).toMatchObject({ kind: 'waiting', reason: 'lanes' })
    await worker.pool.dueWaiters({ signal })
    expect(worker.pool.line).toMatchObject([{ jobId: 'job', lanes: 2, reason: 'lanes' }])
    expect(worker.pool.running).toBe(2)
    await bench.flush('gpu')
    const lanes = await worker.lanesOf(wide('job', 2))
    expect(lanes.map(({ chainId, engine }) => [chainId, engine])).toEqual([
      ['job/0', 'gpu'],
      ['job/1', 'gpu'],
    ])
    expect([await bench.waiting.list({ signal }), worker.pool.line]).toEqual([[], []])
    const { chains } = await bench.read('gpu')
    expect(chains.map(({ id, legs }) => [id, legs[0]?.open])).toEqual([
      ['job/0', true],
      ['job/1', true],
    ])
    expect(worker.pool.running).toBe(2)
  })

  it('is tried as the first in line although there is no room, and hears when there will be', async () => {
    const { bench, worker } = oneEngine({ lanes: 1 })
    await worker.lanesOf(recording('long', 1_200))
    const next = await worker.admit(recording('next', 900))
    const startMs = bench.nowMs + 1_200_000
    expect(next).toMatchObject({ place: 1, reason: 'lanes', retryAfterMs: 45_000 })
    const expectedMs = next.kind === 'waiting' ? (next.expectedStartMs ?? 0) : 0
    expect(Math.abs(expectedMs - startMs)).toBeLessThan(5_000)
    const behind = await worker.admit(recording('behind', 600))
    expect(behind).toEqual({
      kind: 'waiting',
      ...{ place: 2, reason: 'turn', expectedStartMs: null, retryAfterMs: 45_000 },
    })
    const line = await bench.waiting.list({ signal })
    expect(line.map(({ jobId, noRoomMs }) => [jobId, noRoomMs])).toEqual([
      ['next', bench.nowMs],
      ['behind', null],
    ])
  })

  it('asks again when room is expected, a second later at the earliest', async () => {
    const { bench, worker } = oneEngine({ lanes: 1 })
    await worker.lanesOf(recording('short', 30))
    const soon = await worker.admit(recording('next', 600))
    const { retryAfterMs } = soon as { retryAfterMs: number }
    expect(retryAfterMs).toBeGreaterThan(25_000)
    expect(retryAfterMs).toBeLessThan(35_000)
    await bench.pass(40_000)
    expect(await worker.admit(recording('next', 600))).toMatchObject({ retryAfterMs: 1_000 })
  })

  it('stays where it is in line when it asks again, and passes those of lower priority', async () => {
    const { bench, worker } = oneEngine({ lanes: 1 })
    await worker.lanesOf(recording('running', 1_200))
    await worker.admit(recording('next', 600))
    await bench.pass(1_000)
    await worker.admit(recording('later', 600))
    expect(await worker.admit(recording('next', 600))).toMatchObject({ place: 1 })
    const urgent = recording('urgent', 600, { priority: 5 })
    expect(await worker.admit(urgent)).toMatchObject({ place: 1, reason: 'lanes' })
    expect(await worker.admit(recording('next', 600))).toMatchObject({ place: 2 })
  })

  it('is out of the line once it has left, or nobody renews it for two minutes', async () => {
    const { bench, worker } = oneEngine({ lanes: 1 })
    await worker.lanesOf(recording('running', 1_200))
    const gone = bench.worker('dead')
    await worker.admit(recording('c', 600))
    await gone.admit(recording('a', 900))
    await gone.admit(recording('b', 900))
    await worker.pool.leave('a', { signal })
    expect(await worker.admit(recording('c', 600))).toMatchObject({ place: 2 })
    await bench.pass(119_000)
    expect(await worker.admit(recording('c', 600))).toMatchObject({ place: 2 })
    await bench.pass(1_000)
    expect(await worker.admit(recording('c', 600))).toMatchObject({ place: 1 })
  })

  it('does nothing when told to stop', async () => {
    const { bench, worker } = oneEngine({})
    const stop = new StopRequested('internal', 'Enough.')
    const stopped = { signal: AbortSignal.abort(stop) }
    await expect(worker.pool.admit(recording('job', 60), stopped)).rejects.toBe(stop)
    await expect(worker.pool.dueWaiters(stopped)).rejects.toBe(stop)
    expect((await bench.read('gpu')).chains).toEqual([])
  })
})

describe('a job behind one that found no room a moment ago', () => {
  /** Three lanes, of which two run; two more find no room, and then all is free. */
  async function heldBack() {
    const { bench, worker } = oneEngine({ lanes: 3 })
    await worker.lanesOf(wide('running', 2))
    expect(await worker.admit(wide('first', 2))).toMatchObject({ reason: 'lanes' })
    await bench.flush('gpu')
    return { bench, worker, narrow: recording('narrow', 60) }
  }

  it('does not pass it, though there is room for both', async () => {
    const { bench, worker, narrow } = await heldBack()
    expect(await worker.admit(narrow)).toMatchObject({ place: 2, reason: 'turn' })
    await bench.pass(7_900)
    expect(await worker.admit(narrow)).toMatchObject({ place: 2, reason: 'turn' })
    expect((await bench.read('gpu')).chains).toEqual([])
  })

  it('passes it when it has not come for its room after 8 s', async () => {
    const { bench, worker, narrow } = await heldBack()
    await bench.pass(8_000)
    expect(await worker.lanesOf(narrow)).toHaveLength(1)
  })

  it('passes it once it is gone', async () => {
    const { worker, narrow } = await heldBack()
    await worker.pool.leave('first', { signal })
    expect(await worker.lanesOf(narrow)).toHaveLength(1)
  })

  it('goes in after it', async () => {
    const { worker, narrow } = await heldBack()
    expect(await worker.lanesOf(wide('first', 2))).toHaveLength(2)
    expect(await worker.lanesOf(narrow)).toHaveLength(1)
  })
})

describe('a job behind one that has not asked yet', () => {
  it('waits for its turn where the other one needs all that is free, and else goes in', async () => {
    const { bench, worker } = oneEngine({ lanes: 2 })
    await bench.put('gpu', bench.foreign('running/0'))
    await bench.waiting.put(waiter('first', { priority: 1 }), { signal })
    expect(await worker.admit(recording('job', 60))).toMatchObject({ place: 2, reason: 'turn' })
    await bench.takeOut('gpu', 'running/0')
    expect(await worker.lanesOf(recording('job', 60))).toHaveLength(1)
  })
})

describe('a job that no engine can ever carry', () => {
  it.each([
    ['more lanes than may run', { lanes: 1 }, 'it needs 2 sessions at once, and 1 may run'],
    ['more blocks than there are', { kvBlocks: 31 }, 'it needs 32 KV blocks at once'],
  ])('is refused with its name: %s', async (_, limits, why) => {
    const { bench, worker } = oneEngine(limits)
    const refused = await worker.admit({ ...wide('job', 2), name: 'a.mp3' }).catch((error) => error)
    expect(refused).toBeInstanceOf(InputError)
    expect(refused).toMatchObject({ code: 'media_too_long', facts: { lanes: 2 } })
    expect(refused.message).toContain(`a.mp3 doesn't fit on any engine: ${why}`)
    expect(await bench.waiting.list({ signal })).toEqual([])
  })

  it('stands in line by the store’s time also where the first engine is out', async () => {
    const plan = enginePlan('elastic', { lanes: 1 })
    const bench = new AdmissionBench({ first: plan, second: plan })
    const busy = bench.worker('busy')
    await busy.lanesOf(recording('one', 1_200))
    await busy.lanesOf(recording('two', 1_200))
    const newcomer = bench.worker('newcomer')
    newcomer.out.add('first')
    await newcomer.admit(recording('job', 600))
    const [waiting] = await bench.waiting.list({ signal })
    expect(Math.abs((waiting?.sinceMs ?? 0) - bench.nowMs)).toBeLessThan(1_000)
  })

  it('waits for an engine that is out and may be larger', async () => {
    const plans = { small: enginePlan('elastic', { lanes: 1 }), large: enginePlan('elastic') }
    const bench = new AdmissionBench(plans)
    const worker = bench.worker('one')
    worker.out.add('large')
    const waits = { reason: 'engines', expectedStartMs: null }
    expect(await worker.admit(wide('job', 2))).toMatchObject({ ...waits, place: 1 })
    // It holds nobody back: others may fit on what is up.
    expect(await bench.waiting.list({ signal })).toMatchObject([{ noRoomMs: null }])
    worker.out.delete('large')
    const lanes = await worker.lanesOf(wide('job', 2))
    expect(lanes.map(({ engine }) => engine)).toEqual(['large', 'large'])
  })

  it('waits where one engine refuses it and another has no room just now', async () => {
    const plans = {
      small: enginePlan('elastic', { lanes: 1 }),
      large: enginePlan('elastic', { lanes: 2 }),
    }
    const bench = new AdmissionBench(plans)
    const worker = bench.worker('one')
    await bench.put('large', bench.foreign('running/0'))
    expect(await worker.admit(wide('job', 2))).toMatchObject({ kind: 'waiting', reason: 'lanes' })
  })
})

describe('a job that several engines have no room for', () => {
  it('hears of the one where there will be room first', async () => {
    const plan = () => enginePlan('elastic', { lanes: 1 })
    const bench = new AdmissionBench({ a: plan(), b: plan(), c: plan() })
    const worker = bench.worker('one')
    for (const [engine, frames] of Object.entries({ a: 7_000, b: 2_000, c: 5_000 })) {
      await bench.put(engine, bench.foreign(`${engine}/0`, { frames }))
    }
    const waits = { reason: 'lanes', expectedStartMs: bench.nowMs + 2_000 * 80 }
    expect(await worker.admit(recording('job', 600))).toMatchObject(waits)
  })

  it.each([
    ['a', 'b'],
    ['b', 'a'],
  ])('hears of the one that can tell when: left on %s, full %s', async (left, full) => {
    const plan = () => enginePlan('elastic', { lanes: 1 })
    const bench = new AdmissionBench({ a: plan(), b: plan() })
    await bench.put(left, bench.foreign('job/0', { frames: 500 }))
    await bench.put(full, bench.foreign('other/0', { frames: 500 }))
    const waits = { reason: 'lanes', expectedStartMs: bench.nowMs + 500 * 80 }
    expect(await bench.worker('one').admit(recording('job', 600))).toMatchObject(waits)
  })
})

describe('a job while no engine is up', () => {
  it('waits where there is none at all', async () => {
    const { pool, admit } = new AdmissionBench({}).worker('one')
    expect(await admit(recording('job', 60))).toMatchObject({ place: 1, reason: 'engines' })
    expect([pool.running, await pool.dueWaiters({ signal })]).toEqual([0, []])
  })

  it('waits for one', async () => {
    const { bench, worker } = oneEngine({})
    worker.out.add('gpu')
    const waits = { kind: 'waiting', reason: 'engines', expectedStartMs: null }
    expect(await worker.admit(recording('job', 60))).toMatchObject(waits)
    expect(await worker.pool.dueWaiters({ signal })).toEqual([])
    worker.out.delete('gpu')
    expect(await worker.lanesOf(recording('job', 60))).toHaveLength(1)
    expect(await bench.waiting.list({ signal })).toEqual([])
  })
})

describe('a hundred jobs that an outage has sent away in one instant', () => {
  it('ask again one by one: few of them in any second', async () => {
    const { worker } = oneEngine({})
    worker.out.add('gpu')
    const perSecond = new Map<number, number>()
    for (let at = 0; at < 100; at += 1) {
      const outcome = await worker.admit(recording(`job-${at}`, 60))
      expect(outcome).toMatchObject({ kind: 'waiting', reason: 'engines' })
      const waitMs = outcome.kind === 'waiting' ? outcome.retryAfterMs : 0
      expect(waitMs).toBeGreaterThan(22_500)
      expect(waitMs).toBeLessThanOrEqual(45_000)
      const second = Math.floor(waitMs / 1_000)
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
    }
    expect(perSecond.size).toBeGreaterThan(18)
    expect(Math.max(...perSecond.values())).toBeLessThan(15)
  })
})

describe('what a job has left in a ledger', () => {
  it('is waited for where it is of another worker: it may hold sessions still', async () => {
    const { bench, worker } = oneEngine({})
    await bench.put('gpu', bench.foreign('job/0'))
    const waits = { reason: 'turn', expectedStartMs: null, retryAfterMs: 45_000 }
    expect(await worker.admit(recording('job', 60))).toMatchObject(waits)
    expect((await bench.read('gpu')).chains).toMatchObject([{ id: 'job/0', worker: 'other' }])
    // Nor does it keep others out: it isn't room that it waits for.
    expect(await bench.waiting.list({ signal })).toMatchObject([{ noRoomMs: null }])
    await bench.takeOut('gpu', 'job/0')
    expect(await worker.lanesOf(recording('job', 60))).toHaveLength(1)
  })

  it('is replaced where it is of this worker', async () => {
    const { bench, worker } = oneEngine({ lanes: 1 })
    await bench.put('gpu', bench.foreign('job/0', { worker: 'one', frames: 7_000 }))
    await worker.lanesOf(recording('job', 60))
    const { chains } = await bench.read('gpu')
    expect(chains.map(({ id, legs }) => [id, legs.map(({ frames }) => frames)])).toEqual([
      ['job/0', [750]],
    ])
  })
})

describe('jobs that are called because there may be room', () => {
  const put = async (bench: AdmissionBench, ...waiters: ReturnType<typeof waiter>[]) => {
    for (const each of waiters) await bench.waiting.put(each, { signal })
  }
  const numbered = (count: number) => {
    return Array.from({ length: count }, (_, at) => waiter(`job-${at}`, { priority: 9 - at }))
  }

  it('are four at most, the first in line, and not again within 3 s', async () => {
    const { bench, worker } = oneEngine({})
    await put(bench, ...numbered(6))
    expect(await worker.pool.dueWaiters({ signal })).toEqual(['job-0', 'job-1', 'job-2', 'job-3'])
    await bench.pass(2_900)
    expect(await worker.pool.dueWaiters({ signal })).toEqual([])
    await bench.pass(100)
    expect(await worker.pool.dueWaiters({ signal })).toHaveLength(4)
  })

  it('are others as soon as the first ones have gone', async () => {
    const { bench, worker } = oneEngine({})
    await put(bench, ...numbered(6))
    await worker.pool.dueWaiters({ signal })
    await worker.pool.leave('job-1', { signal })
    await bench.pass(1_000)
    expect(await worker.pool.dueWaiters({ signal })).toEqual(['job-4'])
  })

  it('need no more lanes than there are, and nobody passes one that does', async () => {
    const { bench, worker } = oneEngine({ lanes: 4 })
    await bench.put('gpu', bench.foreign('running/0'))
    const jobs = [
      waiter('two', { lanes: 2, priority: 3 }),
      waiter('wide', { lanes: 2, priority: 2 }),
    ]
    await put(bench, ...jobs, waiter('narrow', { priority: 1 }))
    expect(await worker.pool.dueWaiters({ signal })).toEqual(['two'])
  })

  it('end with one that found no room a moment ago: what is free is for it', async () => {
    const { bench, worker } = oneEngine({})
    const noRoomMs = bench.nowMs - 1_000
    await put(bench, waiter('first', { priority: 1 }), waiter('last'))
    await bench.waiting.put({ ...waiter('first', { priority: 1 }), noRoomMs }, { signal })
    expect(await worker.pool.dueWaiters({ signal })).toEqual(['first'])
    await bench.pass(7_000)
    expect(await worker.pool.dueWaiters({ signal })).toEqual(['first', 'last'])
  })

  it('are none for an engine on which a recording waits for its next leg', async () => {
    const { bench, worker } = oneEngine({})
    await bench.put('gpu', bench.foreign('parked/0', { legs: [], parkedSinceMs: bench.nowMs }))
    await put(bench, waiter('job'))
    expect(await worker.pool.dueWaiters({ signal })).toEqual([])
    await bench.takeOut('gpu', 'parked/0')
    expect(await worker.pool.dueWaiters({ signal })).toEqual(['job'])
  })

  it.each([
    ['profile', 1],
    ['reserve', 1],
    ['fixed', 3],
  ] as const)(
    'are as many as an engine of the policy %s has room for: %d',
    async (policy, calls) => {
      const bench = new AdmissionBench({ gpu: enginePlan(policy, { lanes: 3 }) })
      await put(bench, ...numbered(6))
      expect(await bench.worker('one').pool.dueWaiters({ signal })).toHaveLength(calls)
    },
  )
})
