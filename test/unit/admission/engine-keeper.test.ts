import { beforeEach, describe, expect, it } from 'vitest'
import { EngineDesk } from '../../../src/admission/engine-desk.js'
import {
  EngineKeeper,
  type KeeperEvent,
  type KeeperGauges,
} from '../../../src/admission/engine-keeper.js'
import type { EnginePlan } from '../../../src/admission/engine-plan.js'
import { EMPTY_LEDGER, type Ledger } from '../../../src/admission/ledger.js'
import { LegCurve } from '../../../src/admission/leg-curve.js'
import { MemoryEnginePulses } from '../../../src/admission/memory-engine-pulses.js'
import { MemoryLedgerStore } from '../../../src/admission/memory-ledger-store.js'
import { MemorySignsOfLife } from '../../../src/admission/memory-signs-of-life.js'
import { SessionPulses } from '../../../src/admission/session-pulses.js'
import { loadKvModel } from '../../../src/config/model-file.js'
import { seededRandom } from '../../../src/kernel/seeded-random.js'
import { StepClock } from '../../fakes/step-clock.js'

const signal = new AbortController().signal
const ENGINE = 'ws://engine/v1/realtime'
const model = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const kv = loadKvModel({ cwd: process.cwd(), model, version: '0.32.0', blockTokens: 16 })
const plan: EnginePlan = {
  policy: 'elastic',
  limits: { kvBlocks: 100, stepMs: Infinity, sessions: Infinity, lanes: Infinity },
  curve: new LegCurve(kv),
  stepModel: null,
  floorFrames: 250,
  ceilingFrames: 7_500,
  openAheadMs: 1_000,
  tailMs: 1_360,
}

/** One engine with nothing to say of itself but these; null: it can't be asked. */
let gauges: KeeperGauges | null
let clock: StepClock
let store: MemoryLedgerStore
let pulses: MemoryEnginePulses
let signs: MemorySignsOfLife

beforeEach(() => {
  gauges = null
  clock = new StepClock(1_000_000)
  store = new MemoryLedgerStore({ clock })
  pulses = new MemoryEnginePulses({ clock })
  signs = new MemorySignsOfLife({ clock })
})

function keeperOf(worker: string) {
  const random = seededRandom(1)
  const desk = new EngineDesk({ engine: ENGINE, store, clock, random, plan, liveBlocks: 0 })
  const sessions = new SessionPulses(kv)
  const events: KeeperEvent[] = []
  const keeper = new EngineKeeper({
    ...{ desk, pulses, signs, sessions, worker, chains: { has: () => true } },
    readGauges: async () => gauges,
    kneeLagMs: 2_000,
    deltaDelayMs: 0,
    nowMs: () => clock.monotonicMs(),
    onEvent: (event) => events.push(event),
  })
  const open = (chainId: string) => {
    const pulse = sessions.open(chainId, clock.monotonicMs())
    const send = (frames: number) => {
      for (let frame = 0; frame < frames; frame += 1) pulse.frameSent(clock.monotonicMs())
    }
    const hear = (lagMs = 0) => pulse.deltaReceived(clock.monotonicMs(), lagMs)
    return { pulse, send, hear, end: () => pulse.ended(clock.monotonicMs()) }
  }
  return { keeper, desk, events, open }
}

/** So many seconds, each with a round of all; a worker reads its ledgers as often. */
async function rounds(
  seconds: number,
  ...keepers: readonly { keeper: EngineKeeper; desk: EngineDesk }[]
) {
  for (let second = 0; second < seconds; second += 1) {
    await clock.advance(1_000)
    for (const { keeper, desk } of keepers) {
      await desk.read({ signal })
      await keeper.round({ signal })
    }
  }
}

const ledger = async () => (await store.read(ENGINE, { signal })).ledger
const quiet = { waitingCapacity: 0, kvUsage: 0, kvBlocksTotal: 101, websocketConnections: 0 }

describe('an engine that gives nothing any more', () => {
  it('is silent at once, and hung for as long as nobody hears from it, whoever asks', async () => {
    const one = keeperOf('one')
    const first = one.open('a/0')
    first.send(20)
    await rounds(1, one)
    expect([one.keeper.isSilent, one.keeper.hungMs]).toEqual([false, 0])
    await rounds(2, one)
    expect([one.keeper.isSilent, one.keeper.hungMs]).toEqual([true, 3_000])
    // Its session is closed, and the lane comes back: that is no sign of life.
    first.end()
    await rounds(5, one)
    expect([one.keeper.isSilent, one.keeper.hungMs]).toEqual([false, 8_000])
    const second = one.open('a/0')
    second.send(20)
    await rounds(3, one)
    expect([one.keeper.isSilent, one.keeper.hungMs]).toEqual([true, 11_000])
    second.hear()
    await rounds(1, one)
    expect([one.keeper.isSilent, one.keeper.hungMs]).toEqual([false, 0])
  })

  it('is judged by those that still tell how they fare', async () => {
    const [one, other] = [keeperOf('one'), keeperOf('other')]
    other.open('b/0').send(20)
    await rounds(3, other, one)
    expect(one.keeper.isSilent).toBe(true)
    await rounds(4, one)
    expect(one.keeper.isSilent).toBe(true)
    await rounds(1, one)
    expect(one.keeper.isSilent).toBe(false)
    expect(await pulses.list('another engine', { signal })).toEqual([])
  })

  it('is not hung any more once it was taken out', async () => {
    const one = keeperOf('one')
    one.open('a/0').send(20)
    await rounds(3, one)
    one.keeper.takenOut()
    expect(one.keeper.hungMs).toBe(0)
  })

  it('has the session closed that loses least, wherever it runs, and carries one lane less', async () => {
    const [one, other] = [keeperOf('one'), keeperOf('other')]
    await store.write(ENGINE, twoLanes(clock.wallMs()), { revision: 0, signal })
    await Promise.all(['one', 'other'].map((worker) => signs.give(worker, { signal })))
    const older = one.open('old/0')
    const younger = other.open('young/0')
    older.send(200)
    younger.send(100)
    await rounds(4, one, other)
    expect([older.pulse.freed.aborted, younger.pulse.freed.aborted]).toEqual([false, true])
    const freed = [...one.events, ...other.events]
    expect(freed).toEqual([{ kind: 'deadlock_freed', chainId: 'young/0' }])
    expect((await ledger()).limit.penalties).toMatchObject([{ lanes: 1 }])
  })
})

describe('the correction of the KV law', () => {
  it('found by one worker holds for all, also for one that has just come', async () => {
    const one = keeperOf('one')
    gauges = { ...quiet, kvBlocksHeld: 3 }
    await rounds(8, one)
    expect((await ledger()).limit.correctionBlocks).toBe(3)
    const newcomer = keeperOf('newcomer')
    await rounds(1, one, newcomer)
    expect((await ledger()).limit.correctionBlocks).toBe(3)
  })

  it('falls block by block and slowly, however many workers there are', async () => {
    const one = keeperOf('one')
    gauges = { ...quiet, kvBlocksHeld: 3 }
    await rounds(8, one)
    gauges = { ...quiet, kvBlocksHeld: 0 }
    const lowered: number[] = []
    // Those who come later have seen nothing that would ask for it, and are as ready to lower it.
    const workers = [one]
    for (let second = 0; second < 30; second += 1) {
      if (second % 4 === 0) workers.push(keeperOf(`late-${second}`))
      const before = (await ledger()).limit.correctionBlocks
      await rounds(1, ...workers)
      if ((await ledger()).limit.correctionBlocks < before) lowered.push(second)
    }
    expect((await ledger()).limit.correctionBlocks).toBeLessThan(3)
    const pausesS = lowered.slice(1).map((second, index) => second - (lowered[index] ?? 0))
    expect(Math.min(...pausesS)).toBeGreaterThanOrEqual(9)
  })
})

describe('the law and the gauges', () => {
  it('are compared with every round, and told', async () => {
    const one = keeperOf('one')
    const told = () => [one.keeper.kvErrorBlocks, one.keeper.kvBlocksPredicted]
    expect([...told(), one.keeper.lastGauges]).toEqual([null, null, null])
    gauges = { ...quiet, kvBlocksHeld: 3, websocketConnections: 0 }
    await rounds(1, one)
    expect([...told(), one.keeper.lastGauges]).toEqual([3, 0, gauges])
    await rounds(7, one)
    const found = { kind: 'kv_error', errorBlocks: 3, correctionBlocks: 3 }
    expect(one.events).toEqual([found])
  })

  it('tell nothing of the law while sessions run that are nobody of ours', async () => {
    const one = keeperOf('one')
    gauges = { ...quiet, kvBlocksHeld: 30, websocketConnections: 2 }
    await rounds(20, one)
    expect([(await ledger()).limit.correctionBlocks, one.events]).toEqual([0, []])
  })

  it('tell nothing where the engine counts no connections and no blocks', async () => {
    const one = keeperOf('one')
    gauges = { ...quiet, kvBlocksHeld: null, websocketConnections: null }
    await rounds(10, one)
    expect([one.keeper.kvErrorBlocks, one.events]).toEqual([null, []])
  })
})

describe('the compute knee', () => {
  /** Lanes of two workers, and an answer of the engine that is late by so much. */
  async function lagged(lagMs: number) {
    await store.write(ENGINE, twoLanes(clock.wallMs()), { revision: 0, signal })
    await Promise.all(['one', 'other'].map((worker) => signs.give(worker, { signal })))
    const [one, other] = [keeperOf('one'), keeperOf('other')]
    const sessions = [one.open('old/0'), other.open('young/0')]
    for (const session of sessions) session.hear(lagMs)
    return { one, other, sessions }
  }

  it('is what runs once lag breaks its bound, moved by one worker only', async () => {
    const { one, other, sessions } = await lagged(2_001)
    for (let second = 0; second < 6; second += 1) {
      for (const session of sessions) session.hear(2_001)
      await rounds(1, one, other)
    }
    expect((await ledger()).limit.knee).toBe(2)
    expect([...one.events, ...other.events]).toEqual([{ kind: 'knee_moved', knee: 2 }])
  })

  it('is not looked at again at once, whoever looks', async () => {
    const { one, other, sessions } = await lagged(2_001)
    await rounds(1, one, other)
    const { kneeMovedMs } = (await ledger()).limit
    for (let second = 0; second < 3; second += 1) {
      for (const session of sessions) session.hear(9_000)
      await rounds(1, one, other)
    }
    expect((await ledger()).limit).toMatchObject({ knee: null, kneeMovedMs })
  })

  it('is none while lag keeps its bound', async () => {
    const { one, other } = await lagged(2_000)
    await rounds(3, one, other)
    expect((await ledger()).limit.knee).toBeNull()
    expect(one.events).toEqual([])
  })

  it('that stood for long stays at a first sign, which is no news for anybody', async () => {
    const before = twoLanes(clock.wallMs())
    const limit = { ...before.limit, knee: 5, kneeMovedMs: 0 }
    await store.write(ENGINE, { ...before, limit }, { revision: 0, signal })
    await signs.give('other', { signal })
    const one = keeperOf('one')
    one.open('old/0').hear(5_000)
    await rounds(1, one)
    expect((await ledger()).limit).toMatchObject({ knee: 5, kneeMovedMs: clock.wallMs() })
    expect(one.events).toEqual([])
  })
})

describe('the leases of another worker', () => {
  const ids = async () => (await ledger()).chains.map(({ id }) => id)

  beforeEach(async () => {
    await store.write(ENGINE, twoLanes(clock.wallMs()), { revision: 0, signal })
  })

  it('are its own while it lives, whatever the engine says', async () => {
    const one = keeperOf('one')
    gauges = { ...quiet, kvBlocksHeld: null }
    for (let second = 0; second < 20; second += 5) {
      await signs.give('other', { signal })
      await rounds(5, one)
    }
    expect([await ids(), one.events]).toEqual([['old/0', 'young/0'], []])
  })

  it('are taken back when its sign of life has expired', async () => {
    const one = keeperOf('one')
    await signs.give('other', { signal })
    await rounds(44, one)
    expect(await ids()).toEqual(['old/0', 'young/0'])
    await rounds(1, one)
    expect(await ids()).toEqual(['old/0'])
    expect(one.events).toEqual([{ kind: 'workers_reclaimed', workers: ['other'] }])
  })

  it('are taken back sooner when the engine has no more connections than live ones', async () => {
    const one = keeperOf('one')
    await signs.give('other', { signal })
    one.open('old/0')
    gauges = { ...quiet, kvBlocksHeld: null, websocketConnections: 2 }
    await rounds(15, one)
    expect(await ids()).toEqual(['old/0', 'young/0'])
    gauges = { ...quiet, kvBlocksHeld: null, websocketConnections: 1 }
    await rounds(1, one)
    expect(await ids()).toEqual(['old/0'])
    expect(one.events).toEqual([{ kind: 'workers_reclaimed', workers: ['other'] }])
  })

  it('are not taken back by a quick look: it may open a session just now', async () => {
    const one = keeperOf('one')
    await signs.give('other', { signal })
    gauges = { ...quiet, kvBlocksHeld: null, websocketConnections: 0 }
    await rounds(10, one)
    expect(await ids()).toEqual(['old/0', 'young/0'])
    await rounds(1, one)
    expect(await ids()).toEqual(['old/0'])
  })

  it('are nobody of ours where they are our own, sign or no sign', async () => {
    const [one, other] = [keeperOf('one'), keeperOf('other')]
    await signs.end('one', { signal })
    await rounds(2, one)
    expect(await ids()).toEqual(['old/0'])
    await rounds(1, other)
    expect(await ids()).toEqual([])
  })
})

describe('a deadlocked engine', () => {
  /** A worker that has sent 16 s without an answer, with these lanes in the ledger. */
  async function silent(lanes: (before: Ledger) => Ledger) {
    await store.write(ENGINE, lanes(twoLanes(clock.wallMs())), { revision: 0, signal })
    await signs.give('other', { signal })
    const one = keeperOf('one')
    const session = one.open('old/0')
    session.send(200)
    await rounds(4, one)
    return { one, session }
  }

  it('frees nobody where nobody of ours holds a block', async () => {
    const { one } = await silent((before) => ({ ...before, chains: [] }))
    expect([one.events, (await ledger()).limit.penalties]).toEqual([[], []])
  })

  // Found by the chaos run: a lane alone on its engine lost its socket, that passed for a deadlock,
  // and the engine was left with one lane, on which the next silent socket passed for another one.
  it.each([
    ['room in its cache loses no lane', 0.5, []],
    ['a full cache', 1, [{ lanes: 1 }]],
  ])('that is silent with %s, and has a session closed', async (_, kvUsage, penalties) => {
    gauges = { ...quiet, kvUsage, kvBlocksHeld: null }
    const { one } = await silent((before) => before)
    expect(one.events).toMatchObject([{ kind: 'deadlock_freed' }])
    expect((await ledger()).limit.penalties).toMatchObject(penalties)
  })

  it('spares a session that has just begun: it holds nothing that would help', async () => {
    const { one, session } = await silent((before) => {
      const chains = before.chains.map((chain) => {
        if (chain.id === 'old/0') return chain
        const startMs = clock.wallMs() + 2_700 // three frames, when one is to be freed
        return { ...chain, legs: chain.legs.map((leg) => ({ ...leg, startMs })) }
      })
      return { ...before, chains }
    })
    expect(one.events).toEqual([{ kind: 'deadlock_freed', chainId: 'old/0' }])
    expect(session.pulse.freed.aborted).toBe(true)
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
    expect(one.events).toEqual([{ kind: 'deadlock_freed', chainId }])
  })

  it('carries one lane less for ten minutes, and what is over counts no more', async () => {
    const over = { lanes: 9, untilMs: clock.wallMs() }
    const standing = { lanes: 7, untilMs: clock.wallMs() + 900_000 }
    await silent((before) => ({
      ...before,
      limit: { ...before.limit, penalties: [over, standing] },
    }))
    const { penalties } = (await ledger()).limit
    expect(penalties).toMatchObject([standing, { lanes: 1 }])
    const lastsMs = (penalties[1]?.untilMs ?? 0) - clock.wallMs()
    expect(lastsMs).toBeGreaterThan(590_000)
    expect(lastsMs).toBeLessThanOrEqual(600_000)
  })
})

function twoLanes(nowMs: number): Ledger {
  const lane = (worker: string, id: string, ageMs: number) => ({
    ...{ id, worker, pace: 1, live: false, restFrames: 0, parkedSinceMs: null },
    legs: [
      {
        ...{ index: 0, open: true, openMs: nowMs - ageMs, startMs: nowMs - ageMs },
        ...{ frames: 1_000, behindMs: 0, stoppedFrame: null },
      },
    ],
  })
  const chains = [lane('one', 'old/0', 16_000), lane('other', 'young/0', 8_000)]
  return { ...EMPTY_LEDGER, chains }
}
