import { beforeEach, describe, expect, it } from 'vitest'
import type { Ledger } from '../../../../src/admission/ledger/ledger.js'
import { ControllerBench, ENGINE, QUIET, twoLanes } from '../controller-bench.js'

const signal = new AbortController().signal
let bench: ControllerBench

beforeEach(() => {
  bench = new ControllerBench()
})

describe('an engine that gives nothing any more', () => {
  it('is silent at once, and hung for as long as nobody hears from it, whoever asks', async () => {
    const one = bench.controllerOf('one')
    const first = one.open('a/0')
    first.send(20)
    await bench.rounds(1, one)
    expect([one.controller.isSilent, one.controller.hungMs]).toEqual([false, 0])
    await bench.rounds(2, one)
    expect([one.controller.isSilent, one.controller.hungMs]).toEqual([true, 3_000])
    // Its session is closed, and the lane comes back: that is no sign of life.
    first.end()
    await bench.rounds(5, one)
    expect([one.controller.isSilent, one.controller.hungMs]).toEqual([false, 8_000])
    const second = one.open('a/0')
    second.send(20)
    await bench.rounds(3, one)
    expect([one.controller.isSilent, one.controller.hungMs]).toEqual([true, 11_000])
    second.hear()
    await bench.rounds(1, one)
    expect([one.controller.isSilent, one.controller.hungMs]).toEqual([false, 0])
  })

  it('is judged by those that still tell how they fare', async () => {
    const [one, other] = [bench.controllerOf('one'), bench.controllerOf('other')]
    other.open('b/0').send(20)
    await bench.rounds(3, other, one)
    expect(one.controller.isSilent).toBe(true)
    await bench.rounds(4, one)
    expect(one.controller.isSilent).toBe(true)
    await bench.rounds(1, one)
    expect(one.controller.isSilent).toBe(false)
    expect(await bench.activities.list('another engine', { signal })).toEqual([])
  })

  it('is not hung any more once it was taken out', async () => {
    const one = bench.controllerOf('one')
    one.open('a/0').send(20)
    await bench.rounds(3, one)
    one.controller.takenOut()
    expect(one.controller.hungMs).toBe(0)
  })

  it('has the session closed that loses least, wherever it runs, and carries one lane less', async () => {
    const [one, other] = [bench.controllerOf('one'), bench.controllerOf('other')]
    await bench.store.write(ENGINE, twoLanes(bench.clock.wallMs()), { revision: 0, signal })
    await Promise.all(['one', 'other'].map((worker) => bench.heartbeats.beat(worker, { signal })))
    const older = one.open('old/0')
    const younger = other.open('young/0')
    older.send(200)
    younger.send(100)
    await bench.rounds(4, one, other)
    expect([older.activity.evicted.aborted, younger.activity.evicted.aborted]).toEqual([
      false,
      true,
    ])
    const freed = [...one.events, ...other.events]
    expect(freed).toEqual([{ kind: 'session_evicted', chainId: 'young/0' }])
    expect((await bench.ledger()).limit.penalties).toMatchObject([{ lanes: 1 }])
  })
})

describe('the correction of the KV law', () => {
  it('found by one worker holds for all, also for one that has just come', async () => {
    const one = bench.controllerOf('one')
    bench.gauges = { ...QUIET, kvBlocksHeld: 3 }
    await bench.rounds(8, one)
    expect((await bench.ledger()).limit.correctionBlocks).toBe(3)
    const newcomer = bench.controllerOf('newcomer')
    await bench.rounds(1, one, newcomer)
    expect((await bench.ledger()).limit.correctionBlocks).toBe(3)
  })

  it('falls block by block and slowly, however many workers there are', async () => {
    const one = bench.controllerOf('one')
    bench.gauges = { ...QUIET, kvBlocksHeld: 3 }
    await bench.rounds(8, one)
    bench.gauges = { ...QUIET, kvBlocksHeld: 0 }
    const lowered: number[] = []
    // Those who come later have seen nothing that would ask for it, and are as ready to lower it.
    const workers = [one]
    for (let second = 0; second < 30; second += 1) {
      if (second % 4 === 0) workers.push(bench.controllerOf(`late-${second}`))
      const before = (await bench.ledger()).limit.correctionBlocks
      await bench.rounds(1, ...workers)
      if ((await bench.ledger()).limit.correctionBlocks < before) lowered.push(second)
    }
    expect((await bench.ledger()).limit.correctionBlocks).toBeLessThan(3)
    const pausesS = lowered.slice(1).map((second, index) => second - (lowered[index] ?? 0))
    expect(Math.min(...pausesS)).toBeGreaterThanOrEqual(9)
  })
})

describe('the law and the gauges', () => {
  it('are compared with every round, and told', async () => {
    const one = bench.controllerOf('one')
    const told = () => [one.controller.kvErrorBlocks, one.controller.kvBlocksPredicted]
    expect([...told(), one.controller.lastGauges]).toEqual([null, null, null])
    bench.gauges = { ...QUIET, kvBlocksHeld: 3, websocketConnections: 0 }
    await bench.rounds(1, one)
    expect([...told(), one.controller.lastGauges]).toEqual([3, 0, bench.gauges])
    await bench.rounds(7, one)
    const found = { kind: 'kv_error', errorBlocks: 3, correctionBlocks: 3 }
    expect(one.events).toEqual([found])
  })

  it('tell nothing of the law while sessions run that are nobody of ours', async () => {
    const one = bench.controllerOf('one')
    bench.gauges = { ...QUIET, kvBlocksHeld: 30, websocketConnections: 2 }
    await bench.rounds(20, one)
    expect([(await bench.ledger()).limit.correctionBlocks, one.events]).toEqual([0, []])
  })

  it('tell nothing where the engine counts no connections and no blocks', async () => {
    const one = bench.controllerOf('one')
    bench.gauges = { ...QUIET, kvBlocksHeld: null, websocketConnections: null }
    await bench.rounds(10, one)
    expect([one.controller.kvErrorBlocks, one.events]).toEqual([null, []])
  })
})

describe('the compute knee', () => {
  /** Lanes of two workers, and an answer of the engine that is late by so much. */
  async function lagged(lagMs: number) {
    await bench.store.write(ENGINE, twoLanes(bench.clock.wallMs()), { revision: 0, signal })
    await Promise.all(['one', 'other'].map((worker) => bench.heartbeats.beat(worker, { signal })))
    const [one, other] = [bench.controllerOf('one'), bench.controllerOf('other')]
    const sessions = [one.open('old/0'), other.open('young/0')]
    for (const session of sessions) session.hear(lagMs)
    return { one, other, sessions }
  }

  it('is what runs once lag breaks its bound, moved by one worker only', async () => {
    const { one, other, sessions } = await lagged(2_001)
    for (let second = 0; second < 6; second += 1) {
      for (const session of sessions) session.hear(2_001)
      await bench.rounds(1, one, other)
    }
    expect((await bench.ledger()).limit.knee).toBe(2)
    expect([...one.events, ...other.events]).toEqual([{ kind: 'knee_moved', knee: 2 }])
  })

  it('is not looked at again at once, whoever looks', async () => {
    const { one, other, sessions } = await lagged(2_001)
    await bench.rounds(1, one, other)
    const { kneeMovedMs } = (await bench.ledger()).limit
    for (let second = 0; second < 3; second += 1) {
      for (const session of sessions) session.hear(9_000)
      await bench.rounds(1, one, other)
    }
    expect((await bench.ledger()).limit).toMatchObject({ knee: null, kneeMovedMs })
  })

  it('is none while lag keeps its bound', async () => {
    const { one, other } = await lagged(2_000)
    await bench.rounds(3, one, other)
    expect((await bench.ledger()).limit.knee).toBeNull()
    expect(one.events).toEqual([])
  })

  it('that stood for long stays at a first sign, which is no news for anybody', async () => {
    const before = twoLanes(bench.clock.wallMs())
    const limit = { ...before.limit, knee: 5, kneeMovedMs: 0 }
    await bench.store.write(ENGINE, { ...before, limit }, { revision: 0, signal })
    await bench.heartbeats.beat('other', { signal })
    const one = bench.controllerOf('one')
    one.open('old/0').hear(5_000)
    await bench.rounds(1, one)
    expect((await bench.ledger()).limit).toMatchObject({
      knee: 5,
      kneeMovedMs: bench.clock.wallMs(),
    })
    expect(one.events).toEqual([])
  })
})

describe('a deadlocked engine', () => {
  /** A worker that has sent 16 s without an answer, with these lanes in the ledger. */
  async function silent(lanes: (before: Ledger) => Ledger) {
    await bench.store.write(ENGINE, lanes(twoLanes(bench.clock.wallMs())), { revision: 0, signal })
    await bench.heartbeats.beat('other', { signal })
    const one = bench.controllerOf('one')
    const session = one.open('old/0')
    session.send(200)
    await bench.rounds(4, one)
    return { one, session }
  }

  it('frees nobody where nobody of ours holds a block', async () => {
    const { one } = await silent((before) => ({ ...before, chains: [] }))
    expect([one.events, (await bench.ledger()).limit.penalties]).toEqual([[], []])
  })

  // Found by the chaos run: a lane alone on its engine lost its socket, that passed for a deadlock,
  // and the engine was left with one lane, on which the next silent socket passed for another one.
  it.each([
    ['room in its cache loses no lane', 0.5, []],
    ['a full cache', 1, [{ lanes: 1 }]],
  ])('that is silent with %s, and has a session closed', async (_, kvUsage, penalties) => {
    bench.gauges = { ...QUIET, kvUsage, kvBlocksHeld: null }
    const { one } = await silent((before) => before)
    expect(one.events).toMatchObject([{ kind: 'session_evicted' }])
    expect((await bench.ledger()).limit.penalties).toMatchObject(penalties)
  })

  // Found on a machine with too much to do: a slow engine had its sessions closed again and again.
  it('that is slow, with room in its cache, has as long as one session has', async () => {
    bench.gauges = { ...QUIET, kvUsage: 0.5, kvBlocksHeld: null }
    bench.stallTimeoutMs = 6_000
    const { one } = await silent((before) => before)
    await bench.rounds(2, one)
    expect([one.events, one.controller.isSilent]).toEqual([[], true])
    await bench.rounds(1, one)
    expect(one.events).toMatchObject([{ kind: 'session_evicted' }])
  })

  it('spares a session that has just begun: it holds nothing that would help', async () => {
    const { one, session } = await silent((before) => {
      const chains = before.chains.map((chain) => {
        if (chain.id === 'old/0') return chain
        const startMs = bench.clock.wallMs() + 2_700 // three frames, when one is to be freed
        return { ...chain, legs: chain.legs.map((leg) => ({ ...leg, startMs })) }
      })
      return { ...before, chains }
    })
    expect(one.events).toEqual([{ kind: 'session_evicted', chainId: 'old/0' }])
    expect(session.activity.evicted.aborted).toBe(true)
  })

  it.each([
    ['in real time', 1, 'young/0'],
    ['ten times as fast, and has heard more', 10, 'old/0'],
    ['as fast as it goes, which counts as real time', 0, 'young/0'],
  ])('frees the one that has heard least: the younger goes %s', async (_, pace, chainId) => {
    const { one } = await silent((before) => ({
      ...before,
      chains: before.chains.map((chain) => ({ ...chain, pace: chain.id === 'young/0' ? pace : 1 })),
    }))
    expect(one.events).toEqual([{ kind: 'session_evicted', chainId }])
  })

  it('carries one lane less for ten minutes, and what is over counts no more', async () => {
    const over = { lanes: 9, untilMs: bench.clock.wallMs() }
    const standing = { lanes: 7, untilMs: bench.clock.wallMs() + 900_000 }
    await silent((before) => ({
      ...before,
      limit: { ...before.limit, penalties: [over, standing] },
    }))
    const { penalties } = (await bench.ledger()).limit
    expect(penalties).toMatchObject([standing, { lanes: 1 }])
    const lastsMs = (penalties[1]?.untilMs ?? 0) - bench.clock.wallMs()
    expect(lastsMs).toBeGreaterThan(590_000)
    expect(lastsMs).toBeLessThanOrEqual(600_000)
  })
})
