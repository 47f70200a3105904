import { describe, expect, it } from 'vitest'
import type { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import type { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { StopRequested } from '../../../../src/kernel/errors.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, pausesEvery, signal } from '../admission-bench.js'

const stop = new StopRequested('internal', 'Enough.')

/** A lease for a leg of 12,000 frames, twice as fast as real time unless told. */
async function lease(options: { pace?: number; policy?: 'profile' | 'fixed' } = {}) {
  const { pace = 2, policy = 'profile' } = options
  const bench = new AdmissionBench({ gpu: { ...enginePlan(policy), ceilingFrames: 20_000 } })
  const client = bench.worker('one').clients.gpu as LedgerClient
  const cuts = pausesEvery(12_000, 12_000)
  const chain = bench.chain(client, { cuts, pace })
  const of = (await bench.clock.run(chain.next({ signal }))) as LegLease
  return { bench, client, of }
}

/** Whether a promise has come to an end by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  const end = () => {
    over = true
  }
  promise.then(end, end)
  await new Promise((resolve) => setImmediate(resolve))
  return over
}

describe('a lease', () => {
  it('knows how late its sender is, and takes all that follows for as late', async () => {
    const { of } = await lease()
    expect(of.dueMs(1_000)).toBe(of.startMs + 40_000)
    await of.permit(1_000, of.startMs + 40_700, { signal })
    expect([of.sentFrames, of.lateMs]).toEqual([1_000, 700])
    expect(of.dueMs(2_000)).toBe(of.startMs + 80_700)
    // Who is early is on time.
    expect(of.lateAt(2_000, of.startMs)).toBe(0)
  })

  it('grants what its whole leg holds at its peak, and counts what it holds by what was heard', async () => {
    const { of } = await lease()
    const { curve } = enginePlan('profile')
    expect(of.kvBlocks(0)).toEqual({ granted: curve.peakBlocks(12_000), held: curve.openBlocks })
    const { held } = of.kvBlocks(1_000)
    expect(held).toBe(curve.blocksAfter(1_007))
    expect(held).toBeGreaterThan(curve.openBlocks)
  })

  it('takes no new block once its windows are full', async () => {
    const { of } = await lease()
    const { curve } = enginePlan('profile')
    const last = curve.stepFrames.at(-1) as number
    expect(of.blockFrameAfter(0)).toBe(curve.stepFrames[0])
    expect([of.blockFrameAfter(last), of.blockFrameAfter(last + 1)]).toEqual([
      last,
      Number.POSITIVE_INFINITY,
    ])
  })

  it('asks with its last frame, whose tail follows by itself, and with none after it', async () => {
    const { bench, of } = await lease()
    const { curve } = enginePlan('profile')
    const beyond = (curve.stepFrames.at(-1) as number) + 1
    const ask = (frame: number) => of.permit(frame, of.startMs + frame * 40, { signal })
    await bench.pass(10_000)
    const border = ask(beyond)
    expect(border).toBeInstanceOf(Promise)
    await bench.clock.run(border as Promise<void>)
    await bench.pass(10_000) // the copy of the ledger is old by now
    expect(ask(beyond + 1)).toBeUndefined()
    expect(ask(11_998)).toBeUndefined()
    const last = ask(11_999)
    expect(last).toBeInstanceOf(Promise)
    await bench.clock.run(last as Promise<void>)
    expect(of.isSpent).toBe(true)
    await bench.pass(10_000)
    expect(ask(11_999)).toBeUndefined()
  })

  it('asks for nothing where nothing is counted', async () => {
    const { bench, of } = await lease({ policy: 'fixed' })
    await bench.pass(60_000)
    const border = of.blockFrameAfter(0)
    expect(of.permit(border, of.startMs + border * 40 + 30_000, { signal })).toBeUndefined()
  })
})

describe('who waits for a sender', () => {
  it('goes on when it comes to the frame, and not before', async () => {
    const { bench, of } = await lease({ pace: 0 })
    const arrival = of.arrival(100, { signal })
    const asked = [16, 99].map((frame) => of.permit(frame, 0, { signal }))
    expect(await isOver(arrival)).toBe(false)
    asked.push(of.permit(100, 0, { signal }))
    expect(await isOver(arrival)).toBe(true)
    await of.arrival(100, { signal })
    await bench.clock.run(Promise.all(asked))
  })

  it('goes on when the session ends before', async () => {
    const { of } = await lease({ pace: 0 })
    const arrival = of.arrival(100, { signal })
    expect(of.ended.aborted).toBe(false)
    await of.close({ signal })
    await arrival
    expect(of.ended.aborted).toBe(true)
    await of.arrival(5_000, { signal })
  })

  it('is told to stop', async () => {
    const { of } = await lease({ pace: 0 })
    const controller = new AbortController()
    const arrival = of.arrival(100, controller)
    controller.abort(stop)
    await expect(arrival).rejects.toBe(stop)
  })
})

describe('a sender before a fence', () => {
  it('waits for it to be opened, and is asked for its block then', async () => {
    const { bench, of } = await lease()
    of.holdAt(10)
    await bench.clock.run(of.permit(8, of.startMs, { signal }) as Promise<void>)
    expect(of.permit(9, of.startMs, { signal })).toBeUndefined()
    const waits = of.permit(10, of.startMs, { signal }) as Promise<void>
    expect(await isOver(waits)).toBe(false)
    expect(of.sentFrames).toBe(9)
    of.releaseHold()
    await bench.clock.run(waits)
    expect(of.sentFrames).toBe(10)
  })

  it('waits on where the fence has only moved before it', async () => {
    const { bench, of } = await lease()
    of.holdAt(5)
    const waits = of.permit(10, of.startMs, { signal }) as Promise<void>
    of.releaseHold()
    of.holdAt(8)
    expect(await isOver(waits)).toBe(false)
    of.releaseHold()
    await bench.clock.run(waits)
    expect(of.sentFrames).toBe(10)
  })

  it('is told to stop', async () => {
    const { of } = await lease()
    of.holdAt(0)
    const controller = new AbortController()
    const waits = of.permit(0, of.startMs, controller)
    controller.abort(stop)
    await expect(waits).rejects.toBe(stop)
  })

  it('hears of no move where there was no fence', async () => {
    const { of } = await lease()
    const moved = of.moves.wait(signal)
    of.releaseHold()
    expect(await isOver(moved)).toBe(false)
  })
})
