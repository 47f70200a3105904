import { describe, expect, it } from 'vitest'
import type { LaneChain } from '../../../src/admission/lane/lane-chain.js'
import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import { enginePlan, recording } from '../planning/night-nights.js'
import { AdmissionBench, type BenchWorker, signal } from './admission-bench.js'

type Plan = ReturnType<typeof enginePlan>

function twoEngines(a: Plan, b: Plan) {
  const bench = new AdmissionBench({ a, b })
  return { bench, worker: bench.worker('one') }
}

/** The only lane of a job, on an engine that is up alone; its first leg is being sent. */
async function begunOn(engine: 'a' | 'b', bench: AdmissionBench, worker: BenchWorker) {
  const other = engine === 'a' ? 'b' : 'a'
  worker.out.add(other)
  const [chain] = (await worker.lanesOf(recording('job', 2_400))) as [LaneChain]
  const lease = (await chain.next({ signal })) as LegLease
  worker.out.delete(other)
  return { chain, lease, sent: bench.carry(lease) }
}

/** Where the lane goes on after its first leg. */
async function nextEngine(bench: AdmissionBench, begun: Awaited<ReturnType<typeof begunOn>>) {
  const lease = await bench.clock.run(begun.chain.next({ signal }))
  await bench.clock.run(begun.sent)
  return lease?.client.engine
}

/** So many others of one lane each that run on an engine, with all their audio still to come. */
async function crowd(bench: AdmissionBench, engine: string, lanes: number) {
  for (let at = 0; at < lanes; at += 1) {
    await bench.put(engine, bench.foreign(`crowd-${at}/0`, { restFrames: 30_000 }))
  }
}

describe('a job goes to the engine', () => {
  it('that carries fewer lanes, of two that are alike', async () => {
    const { worker } = twoEngines(enginePlan('elastic'), enginePlan('elastic'))
    const engines: (string | undefined)[] = []
    for (const jobId of ['1', '2', '3', '4']) {
      engines.push((await worker.lanesOf(recording(jobId, 600)))[0]?.engine)
    }
    expect(engines).toEqual(['a', 'b', 'a', 'b'])
  })

  it('that is larger, while its legs could be longer there', async () => {
    const { worker } = twoEngines(enginePlan('elastic'), enginePlan('elastic', { kvBlocks: 600 }))
    const carried: Record<string, number> = { a: 0, b: 0 }
    for (let job = 0; job < 18; job += 1) {
      const [chain] = await worker.lanesOf(recording(`job-${job}`, 1_200, { seed: job }))
      carried[chain?.engine ?? ''] = (carried[chain?.engine ?? ''] ?? 0) + 1
    }
    expect(carried.b).toBeGreaterThan(1.5 * (carried.a ?? 0))
    expect(carried.a).toBeGreaterThan(3)
  })

  it('where legs can be longer, as lanes there change over less often', async () => {
    const plan = () => enginePlan('elastic', { kvBlocks: 330 })
    const { bench, worker } = twoEngines(plan(), plan())
    for (let at = 0; at < 8; at += 1) {
      await bench.put('a', bench.foreign(`fast-${at}/0`, { pace: 7 }))
      await bench.put('b', bench.foreign(`slow-${at}/0`))
    }
    expect((await worker.lanesOf(recording('job', 600)))[0]?.engine).toBe('b')
  })

  it.each([
    ['has as many lanes as may run', enginePlan('elastic', { lanes: 1 }), 1],
    ['has no block left', enginePlan('elastic', { kvBlocks: 40 }), 2],
  ])('that has room, where the other one %s', async (_, full, lanes) => {
    const { bench, worker } = twoEngines(full, enginePlan('elastic', { kvBlocks: 80 }))
    await crowd(bench, 'a', lanes)
    await crowd(bench, 'b', 1)
    expect((await worker.lanesOf(recording('job', 600)))[0]?.engine).toBe('b')
  })
})

describe('a lane at its change-over', () => {
  it('stays on its engine while another one is no emptier', async () => {
    const { bench, worker } = twoEngines(enginePlan('elastic'), enginePlan('elastic'))
    expect(await nextEngine(bench, await begunOn('a', bench, worker))).toBe('a')
  })

  it('moves to one where its legs can be much longer, and is carried only there', async () => {
    const { bench, worker } = twoEngines(enginePlan('elastic'), enginePlan('elastic'))
    const begun = await begunOn('a', bench, worker)
    await crowd(bench, 'a', 10)
    expect(await nextEngine(bench, begun)).toBe('b')
    const ours = async (engine: string) => {
      return (await bench.read(engine)).chains.filter(({ id }) => id === 'job/0')
    }
    expect(await ours('a')).toEqual([])
    expect(await ours('b')).toHaveLength(1)
  })

  it('stays where the emptier one has all its lanes', async () => {
    const { bench, worker } = twoEngines(enginePlan('elastic'), enginePlan('elastic', { lanes: 1 }))
    const begun = await begunOn('a', bench, worker)
    await crowd(bench, 'a', 10)
    await crowd(bench, 'b', 1)
    expect(await nextEngine(bench, begun)).toBe('a')
  })

  it('stays where it knows its legs already, however empty the others are', async () => {
    const plan = () => enginePlan('profile', { kvBlocks: 600 })
    const { bench, worker } = twoEngines(plan(), plan())
    const begun = await begunOn('b', bench, worker)
    await crowd(bench, 'b', 20)
    expect(await nextEngine(bench, begun)).toBe('b')
  })

  it('leaves an engine that is out', async () => {
    const plan = () => enginePlan('profile', { kvBlocks: 600 })
    const { bench, worker } = twoEngines(plan(), plan())
    const begun = await begunOn('a', bench, worker)
    worker.out.add('a')
    expect(await nextEngine(bench, begun)).toBe('b')
  })

  it('stays where it is while every engine is out', async () => {
    const { bench, worker } = twoEngines(enginePlan('elastic'), enginePlan('elastic'))
    const begun = await begunOn('a', bench, worker)
    worker.out.add('a').add('b')
    expect(await nextEngine(bench, begun)).toBe('a')
  })
})

describe('a lane that finds no room', () => {
  /** Both engines carry one lane, another one each; ours has none. */
  async function stuck() {
    const { bench, worker } = twoEngines(
      enginePlan('elastic', { lanes: 1 }),
      enginePlan('elastic', { lanes: 1 }),
    )
    const [chain] = (await worker.lanesOf(recording('job', 600))) as [LaneChain]
    const restart = { fromFrame: 0, delayMs: 0, orFewerLeases: false, signal }
    await bench.clock.run(chain.restart(restart))
    for (const engine of ['a', 'b']) await bench.put(engine, bench.foreign(`${engine}/0`))
    const stop = new AbortController()
    const next = chain.next({ signal: stop.signal })
    const stands = async (engine: string) => {
      return (await bench.read(engine)).chains.some(({ id }) => id === 'job/0')
    }
    const stopped = async () => {
      const reason = new StopRequested('internal', 'Enough.')
      stop.abort(reason)
      await expect(next).rejects.toBe(reason)
    }
    return {
      bench,
      worker,
      next,
      stopped,
      where: async () => [await stands('a'), await stands('b')],
    }
  }

  it('goes round the engines, half a minute each, in the line of one at a time', async () => {
    const { bench, next, where } = await stuck()
    await bench.pass(29_000)
    expect(await where()).toEqual([true, false])
    await bench.pass(4_000)
    expect(await where()).toEqual([false, true])
    await bench.pass(25_000)
    expect(await where()).toEqual([false, true])
    await bench.pass(8_000)
    expect(await where()).toEqual([true, false])
    await bench.pass(31_000)
    await bench.takeOut('b', 'b/0')
    expect((await bench.clock.run(next))?.client.engine).toBe('b')
  })

  it('waits at the engine that it knows while none is up', async () => {
    const { bench, worker, stopped, where } = await stuck()
    worker.out.add('a').add('b')
    await bench.pass(70_000)
    expect(await where()).toEqual([true, false])
    await stopped()
  })
})

describe('lanes in line', () => {
  /**
   * A recording that runs alone, with nine others before all engines.
   * @returns frames of its leg, once that was moved to make room for them
   */
  async function legWhile(options: { others: number; isElsewhereUp: boolean }): Promise<number> {
    const { bench, worker } = twoEngines(
      enginePlan('elastic', { kvBlocks: 120 }),
      enginePlan('elastic', { kvBlocks: 120 }),
    )
    const { chain, lease } = await begunOn('a', bench, worker)
    if (!options.isElsewhereUp) worker.out.add('b')
    for (let at = 0; at < options.others; at += 1) {
      const waiter = {
        tenant: 'default',
        jobId: `w-${at}`,
        lanes: 1,
        priority: 0,
        deadlineMs: null,
      }
      const times = { remainingMs: 600_000, sinceMs: bench.nowMs, noRoomMs: null }
      await bench.waiting.put({ ...waiter, ...times }, { signal })
    }
    await worker.pool.dueWaiters({ signal })
    const stop = new AbortController()
    const next = chain.next({ signal: stop.signal }).catch(() => null)
    await bench.pass(10_000)
    stop.abort()
    await next
    return lease.frames
  }

  it('make those that run end their legs earlier', async () => {
    const alone = await legWhile({ others: 0, isElsewhereUp: true })
    const pressed = await legWhile({ others: 6, isElsewhereUp: false })
    expect(pressed).toBeLessThan(0.5 * alone)
  })

  it('press on each engine by its share of the room', async () => {
    const alone = await legWhile({ others: 4, isElsewhereUp: false })
    const shared = await legWhile({ others: 4, isElsewhereUp: true })
    const half = await legWhile({ others: 2, isElsewhereUp: false })
    expect(shared).toBeGreaterThan(alone)
    expect(shared).toBe(half)
  })

  it('press everywhere where they are more than all engines have room for', async () => {
    const alone = await legWhile({ others: 200, isElsewhereUp: false })
    const shared = await legWhile({ others: 200, isElsewhereUp: true })
    expect(shared).toBe(alone)
  })
})
