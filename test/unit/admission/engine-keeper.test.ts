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
    ...{ desk, pulses, signs, sessions, worker },
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
    const hear = () => pulse.deltaReceived(clock.monotonicMs(), 0)
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
