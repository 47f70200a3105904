import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  ACTIVITY_TTL_MS,
  type EngineActivity,
  type EngineActivityStore,
  EVICTION_REQUEST_TTL_MS,
  HEARTBEAT_TTL_MS,
  type LedgerStore,
  WAITER_KEPT_MS,
  type Waiter,
  type WaitingList,
  type WorkerHeartbeats,
} from '../../src/admission/index.js'
import { EMPTY_LEDGER, type Ledger } from '../../src/admission/ledger/ledger.js'
import { StopRequested } from '../../src/kernel/errors.js'

/** What several workers share, as one of them sees it. */
export interface SharedStores {
  ledgers: LedgerStore
  waiting: WaitingList
  heartbeats: WorkerHeartbeats
  activities: EngineActivityStore
}

/** A store that nobody has used. */
export interface SharedState {
  /** The stores of another worker each time. */
  connect(): Promise<SharedStores>
  /** Makes all that is in the store so much older. */
  elapse(durationMs: number): Promise<void>
}

/** Opens stores; gone when it is disposed of. */
export interface StoreServer extends AsyncDisposable {
  fresh(): Promise<SharedState>
}

const signal = new AbortController().signal
const options = { signal }
const ENGINE = 'ws://gpu-node:8000/v1/realtime'

/** A ledger that differs from every other one by its number. */
export function numberedLedger(knee: number): Ledger {
  const leg = {
    index: 0,
    open: true,
    openMs: 1_700_000_000_123,
    startMs: 5,
    frames: 9,
    behindMs: 0,
    stoppedFrame: null,
  }
  const chain = {
    id: 'job/0',
    worker: 'w1',
    pace: 1.5,
    live: false,
    legs: [leg],
    restFrames: 7,
    parkedSinceMs: null,
  }
  const limit = { knee, kneeMovedMs: 3, penalties: [{ lanes: 5, untilMs: 1 }], correctionBlocks: 4 }
  return { chains: [chain], limit }
}

/** A waiting job. */
export function waiterOf(jobId: string, changes: Partial<Waiter> = {}): Waiter {
  const standard = {
    tenant: 'default',
    lanes: 2,
    priority: 5,
    deadlineMs: null,
    remainingMs: 60_000,
  }
  return { jobId, ...standard, sinceMs: 1_000, noRoomMs: null, ...changes }
}

type Current = () => { one: SharedStores; other: SharedStores; state: SharedState }

/** What the stores of Redis and those of one process do alike. */
export function ledgerStoreContract(name: string, open: () => Promise<StoreServer>): void {
  describe(`${name}: the contract of what workers share`, () => {
    let server: StoreServer
    let state: SharedState
    let one: SharedStores
    let other: SharedStores
    beforeAll(async () => {
      server = await open()
    })
    afterAll(async () => await server?.[Symbol.asyncDispose]())
    beforeEach(async () => {
      state = await server.fresh()
      one = await state.connect()
      other = await state.connect()
    })
    const current = () => ({ one, other, state })

    describe('the ledger', () => ledgerTests(current))
    describe('the waiting list', () => waitingTests(current))
    describe('signs of life', () => signTests(current))
    describe('pulses', () => pulseTests(current))
    describe('locks and words to free', () => freeingTests(current))
    it('does nothing for a caller that was told to stop', () => stopTest(current))
  })
}

function ledgerTests(current: Current): void {
  it('is empty at revision 0 until somebody writes, each engine for itself', async () => {
    const { one } = current()
    const reading = await one.ledgers.read(ENGINE, options)
    expect(reading).toMatchObject({ ledger: EMPTY_LEDGER, revision: 0 })
    expect(Number.isInteger(reading.nowMs)).toBe(true)
    await one.ledgers.write('elsewhere', numberedLedger(1), { revision: 0, signal })
    expect(await one.ledgers.read(ENGINE, options)).toMatchObject({ revision: 0 })
  })

  it('gives back what was written, to everybody', async () => {
    const { one, other } = current()
    const revision = await one.ledgers.write(ENGINE, numberedLedger(1), { revision: 0, signal })
    expect(revision).toBeGreaterThan(0)
    for (const stores of [one, other, one]) {
      const reading = await stores.ledgers.read(ENGINE, options)
      expect(reading).toMatchObject({ ledger: numberedLedger(1), revision })
    }
  })

  it('writes only over what the writer has read', async () => {
    const { one, other } = current()
    const first = await one.ledgers.write(ENGINE, numberedLedger(1), { revision: 0, signal })
    expect(await other.ledgers.write(ENGINE, numberedLedger(2), { revision: 0, signal })).toBeNull()
    const { revision } = await other.ledgers.read(ENGINE, options)
    expect(revision).toBe(first)
    const second = await other.ledgers.write(ENGINE, numberedLedger(3), { revision, signal })
    expect(second).toBeGreaterThan(revision)
    const late = { revision: first ?? 0, signal }
    expect(await one.ledgers.write(ENGINE, numberedLedger(4), late)).toBeNull()
    expect(await one.ledgers.read(ENGINE, options)).toMatchObject({
      ledger: numberedLedger(3),
      revision: second,
    })
  })

  it('lets a writer go on from its own revision without another read', async () => {
    const { one, other } = current()
    let revision = 0
    for (let knee = 1; knee <= 5; knee += 1) {
      const written = await one.ledgers.write(ENGINE, numberedLedger(knee), { revision, signal })
      expect(written).toBeGreaterThan(revision)
      revision = written ?? 0
    }
    const reading = await other.ledgers.read(ENGINE, options)
    expect(reading).toMatchObject({ ledger: numberedLedger(5), revision })
  })

  it('loses none of the changes of four workers that write at once', async () => {
    const { state } = current()
    const changesEach = 50
    const revisions: number[] = []
    const work = async () => {
      const { ledgers } = await state.connect()
      for (let done = 0; done < changesEach; ) {
        const { ledger, revision } = await ledgers.read(ENGINE, options)
        const next = numberedLedger((ledger.limit.knee ?? 0) + 1)
        const written = await ledgers.write(ENGINE, next, { revision, signal })
        if (written === null) continue
        revisions.push(written)
        done += 1
      }
    }
    await Promise.all([work(), work(), work(), work()])
    const { ledger, revision } = await current().one.ledgers.read(ENGINE, options)
    expect(ledger).toEqual(numberedLedger(4 * changesEach))
    expect(new Set(revisions).size).toBe(4 * changesEach)
    expect(Math.max(...revisions)).toBe(revision)
  })
}

function waitingTests(current: Current): void {
  const byId = (waiters: Waiter[]) => [...waiters].sort((a, b) => a.jobId.localeCompare(b.jobId))

  it('lists what was put, whoever put it, less what was removed', async () => {
    const { one, other } = current()
    expect(await one.waiting.list(options)).toEqual([])
    await one.waiting.put(waiterOf('a'), options)
    await other.waiting.put(waiterOf('b', { deadlineMs: 9 }), options)
    await other.waiting.put(waiterOf('c'), options)
    await one.waiting.remove('c', options)
    await one.waiting.remove('never put', options)
    const listed = await other.waiting.list(options)
    expect(byId(listed)).toEqual([waiterOf('a'), waiterOf('b', { deadlineMs: 9 })])
  })

  it('keeps since when a job has waited when it is renewed, also by another worker', async () => {
    const { one, other } = current()
    await one.waiting.put(waiterOf('a', { sinceMs: 1_000 }), options)
    await other.waiting.put(waiterOf('a', { sinceMs: 2_000, remainingMs: 5 }), options)
    const renewed = waiterOf('a', { sinceMs: 1_000, remainingMs: 5 })
    expect(await one.waiting.list(options)).toEqual([renewed])
  })

  it('drops an entry that nobody renews, and keeps one that is', async () => {
    const { one, other, state } = current()
    await one.waiting.put(waiterOf('dead'), options)
    await one.waiting.put(waiterOf('alive'), options)
    await state.elapse(WAITER_KEPT_MS - 5_000)
    expect(byId(await other.waiting.list(options))).toHaveLength(2)
    await one.waiting.put(waiterOf('alive', { sinceMs: 2_000 }), options)
    await state.elapse(5_000)
    expect(await other.waiting.list(options)).toEqual([waiterOf('alive')])
    await one.waiting.put(waiterOf('dead', { sinceMs: 3_000 }), options)
    expect(byId(await other.waiting.list(options))).toEqual([
      waiterOf('alive'),
      waiterOf('dead', { sinceMs: 3_000 }),
    ])
  })

  it('begins a new wait for an entry that had expired when it was renewed', async () => {
    const { one, state } = current()
    await one.waiting.put(waiterOf('a', { sinceMs: 1_000 }), options)
    await state.elapse(WAITER_KEPT_MS)
    await one.waiting.put(waiterOf('a', { sinceMs: 2_000 }), options)
    expect(await one.waiting.list(options)).toEqual([waiterOf('a', { sinceMs: 2_000 })])
  })
}

function signTests(current: Current): void {
  it('tells how old each sign is, and null for who gave none or ended', async () => {
    const { one, other, state } = current()
    expect(await one.heartbeats.ages([], options)).toEqual(new Map())
    await one.heartbeats.beat('a', options)
    await one.heartbeats.beat('ended', options)
    await state.elapse(10_000)
    await other.heartbeats.beat('b', options)
    await other.heartbeats.deregister('ended', options)
    const ages = await other.heartbeats.ages(['a', 'b', 'never', 'ended'], options)
    expect([...ages.keys()]).toEqual(['a', 'b', 'never', 'ended'])
    expect(ages.get('a')).toBeGreaterThanOrEqual(10_000)
    expect(ages.get('b')).toBeLessThan(10_000)
    expect([ages.get('never'), ages.get('ended')]).toEqual([null, null])
  })

  it('lets a sign expire that is not given again', async () => {
    const { one, state } = current()
    await one.heartbeats.beat('silent', options)
    await one.heartbeats.beat('speaks', options)
    await state.elapse(HEARTBEAT_TTL_MS - 10_000)
    await one.heartbeats.beat('speaks', options)
    await state.elapse(10_000)
    const ages = await one.heartbeats.ages(['silent', 'speaks'], options)
    expect(ages.get('silent')).toBeNull()
    expect(ages.get('speaks')).toBeGreaterThanOrEqual(10_000)
  })
}

function pulseTests(current: Current): void {
  const activityOf = (worker: string, atMs: number, sessions = 1): EngineActivity => ({
    worker,
    atMs,
    newestDeltaMs: atMs - 80,
    kvBlocksPredicted: 4,
    changedMs: null,
    oldestDueMs: null,
    sessions,
    connectionCounts: [[atMs - 500, sessions]],
    lagP99Ms: 12.5,
  })

  it('lists the newest pulse of each worker, each engine for itself', async () => {
    const { one, other } = current()
    const { nowMs } = await one.ledgers.read(ENGINE, options)
    expect(await one.activities.list(ENGINE, options)).toEqual([])
    await one.activities.publish(ENGINE, activityOf('a', nowMs - 1_000, 1), options)
    await one.activities.publish(ENGINE, activityOf('a', nowMs, 2), options)
    await other.activities.publish(ENGINE, activityOf('b', nowMs), options)
    await other.activities.publish('elsewhere', activityOf('c', nowMs), options)
    const listed = await one.activities.list(ENGINE, options)
    const sorted = listed.sort((a, b) => a.worker.localeCompare(b.worker))
    expect(sorted).toEqual([activityOf('a', nowMs, 2), activityOf('b', nowMs)])
  })

  it('leaves out those that are too old', async () => {
    const { one, state } = current()
    const { nowMs } = await one.ledgers.read(ENGINE, options)
    await one.activities.publish(ENGINE, activityOf('old', nowMs - ACTIVITY_TTL_MS), options)
    expect(await one.activities.list(ENGINE, options)).toEqual([])
    await one.activities.publish(ENGINE, activityOf('a', nowMs), options)
    await state.elapse(ACTIVITY_TTL_MS)
    expect(await one.activities.list(ENGINE, options)).toEqual([])
  })
}

function freeingTests(current: Current): void {
  it('locks once until its time is over, each engine and purpose for itself', async () => {
    const { one, other, state } = current()
    const hold = { holdMs: 30_000, signal }
    const tried = [one, other, one, other].map(({ activities }) =>
      activities.tryLock(ENGINE, 'free', hold),
    )
    expect((await Promise.all(tried)).filter(Boolean)).toHaveLength(1)
    expect(await other.activities.tryLock(ENGINE, 'reclaim', hold)).toBe(true)
    expect(await other.activities.tryLock('elsewhere', 'free', hold)).toBe(true)
    await state.elapse(30_000)
    expect(await other.activities.tryLock(ENGINE, 'free', hold)).toBe(true)
    expect(await one.activities.tryLock(ENGINE, 'free', hold)).toBe(false)
  })

  it('hands each word to free to its worker, once', async () => {
    const { one, other } = current()
    for (const chainId of ['x/0', 'x/1', 'x/0']) {
      await one.activities.requestEviction(ENGINE, { worker: 'b', chainId }, options)
    }
    expect(await one.activities.takeEvictionRequests(ENGINE, 'a', options)).toEqual([])
    expect(await one.activities.takeEvictionRequests('elsewhere', 'b', options)).toEqual([])
    expect((await other.activities.takeEvictionRequests(ENGINE, 'b', options)).sort()).toEqual([
      'x/0',
      'x/1',
    ])
    expect(await other.activities.takeEvictionRequests(ENGINE, 'b', options)).toEqual([])
  })

  it('drops a word that nobody takes', async () => {
    const { one, state } = current()
    await one.activities.requestEviction(ENGINE, { worker: 'b', chainId: 'x/0' }, options)
    await state.elapse(EVICTION_REQUEST_TTL_MS)
    expect(await one.activities.takeEvictionRequests(ENGINE, 'b', options)).toEqual([])
  })
}

async function stopTest(current: Current): Promise<void> {
  const { one } = current()
  const reason = new StopRequested('internal', 'Enough.')
  const stopped = { signal: AbortSignal.abort(reason) }
  const calls = [
    one.ledgers.read(ENGINE, stopped),
    one.ledgers.write(ENGINE, numberedLedger(1), { revision: 0, ...stopped }),
    one.waiting.put(waiterOf('a'), stopped),
    one.waiting.remove('a', stopped),
    one.waiting.list(stopped),
    one.heartbeats.beat('a', stopped),
    one.heartbeats.ages(['a'], stopped),
    one.heartbeats.deregister('a', stopped),
    one.activities.list(ENGINE, stopped),
    one.activities.tryLock(ENGINE, 'free', { holdMs: 1_000, ...stopped }),
    one.activities.requestEviction(ENGINE, { worker: 'a', chainId: 'x/0' }, stopped),
    one.activities.takeEvictionRequests(ENGINE, 'a', stopped),
  ]
  for (const call of calls) expect(await call.catch((error) => error)).toBe(reason)
  expect(await one.ledgers.read(ENGINE, options)).toMatchObject({ revision: 0 })
  expect(await one.waiting.list(options)).toEqual([])
  expect((await one.heartbeats.ages(['a'], options)).get('a')).toBeNull()
}
