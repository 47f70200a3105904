import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import {
  type ChangeOverWait,
  untilChangeOver,
} from '../../../../src/admission/lane/change-over-wait.js'
import type { LegLease } from '../../../../src/admission/lane/leg-lease.js'
import type { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { StopRequested } from '../../../../src/kernel/errors.js'
import { enginePlan } from '../../planning/night-nights.js'
import { AdmissionBench, pausesEvery, signal } from '../admission-bench.js'

/** Chance that never varies: an interval is as long as it is called. */
const random = { uniform: () => 0.5, hexId: () => '00' }

/** Whoever listens to a signal, and signals that were made of it. */
function traces(signal: AbortSignal): number {
  const dependants = Object.getOwnPropertySymbols(signal)
    .filter(({ description }) => description === 'kDependantSignals')
    .map((symbol) => (signal as unknown as Record<symbol, Set<unknown> | undefined>)[symbol])
  const made = dependants.reduce((sum, set) => sum + (set?.size ?? 0), 0)
  return made + getEventListeners(signal, 'abort').length
}

/** A lane with a leg that runs, and a wait for its change-over, 100 s from the start. */
async function waiting(
  changes: Partial<Pick<ChangeOverWait, 'isPressed' | 'replan' | 'completed'>> = {},
) {
  const bench = new AdmissionBench({ gpu: enginePlan('elastic') })
  const { clock } = bench
  const client = bench.worker('one').clients.gpu as LedgerClient
  const chain = bench.chain(client, { cuts: pausesEvery(15_000, 100) })
  const lease = (await clock.run(chain.next({ signal }))) as LegLease
  const startMs = clock.monotonicMs()
  let changeMs = startMs + 100_000
  const replans: number[] = []
  const now = () => clock.monotonicMs() - startMs
  const wait: ChangeOverWait = {
    ...{ clock, random },
    changeMs: () => changeMs,
    isPressed: changes.isPressed ?? (() => false),
    completed: changes.completed ?? null,
    replan: async () => {
      replans.push(now())
      await changes.replan?.()
    },
  }
  const move = (toMs: number) => {
    changeMs = startMs + toMs
  }
  const until = async (by = signal) => await untilChangeOver(lease, wait, { signal: by })
  return { bench, lease, replans, now, move, until }
}

describe('the wait for a change-over', () => {
  it('ends when it is due, after a look for better cuts every half a minute', async () => {
    const { bench, replans, now, until } = await waiting()
    await bench.clock.run(until())
    expect([now(), replans]).toEqual([100_000, [30_000, 60_000, 90_000]])
  })

  it('looks every four seconds while somebody waits for room, as soon as somebody does', async () => {
    let isPressed = false
    const { bench, replans, until } = await waiting({ isPressed: () => isPressed })
    const ended = until()
    await bench.pass(17_000)
    expect(replans).toEqual([])
    isPressed = true
    await bench.pass(10_500)
    expect(replans).toEqual([20_000, 24_000])
    isPressed = false
    await bench.clock.run(ended)
    expect(replans.slice(2)).toEqual([54_000, 84_000])
  })

  // issue 5: Node 20 keeps a trace of every `AbortSignal.any` in the signals that it is of, and a
  // lane waits hundreds of times while one of them lives.
  it('leaves no trace in the signals of those that wait for it', async () => {
    const { bench, lease, until } = await waiting()
    const stays = new AbortController()
    await bench.clock.run(until(stays.signal))
    for (const signal of [stays.signal, lease.ended]) expect(traces(signal)).toBe(0)
  })

  it('follows the cut where it is moved to, earlier or later', async () => {
    const earlier = await waiting({ replan: async () => earlier.move(40_000) })
    await earlier.bench.clock.run(earlier.until())
    expect([earlier.now(), earlier.replans]).toEqual([40_000, [30_000]])
    const later = await waiting({
      replan: async () => {
        if (later.now() === 90_000) later.move(110_000)
      },
    })
    await later.bench.clock.run(later.until())
    expect(later.now()).toBe(110_000)
  })

  it('moves no cut that is nearer than 300 ms', async () => {
    const { bench, replans, now, move, until } = await waiting()
    move(30_250)
    await bench.clock.run(until())
    expect([now(), replans]).toEqual([30_250, []])
  })

  it('is over at once where the change-over is due already', async () => {
    const { now, move, until } = await waiting()
    move(-1)
    await until()
    expect(now()).toBe(0)
  })

  it.each([10_000, 99_900])('ends when the session does, at %d ms', async (atMs) => {
    const { bench, lease, now, until } = await waiting()
    const ended = until()
    await bench.pass(atMs)
    await lease.close({ signal })
    await ended
    expect(now()).toBe(atMs)
  })

  it.each([10_000, 99_900])('ends when it is told to stop, at %d ms', async (atMs) => {
    const { bench, until } = await waiting()
    const stop = new AbortController()
    const reason = new StopRequested('internal', 'Enough.')
    const ended = until(stop.signal).catch((error) => error)
    await bench.pass(atMs)
    stop.abort(reason)
    expect(await ended).toBe(reason)
  })

  it('fails as the look for better cuts has', async () => {
    const failure = new Error('The store is out.')
    const { bench, until } = await waiting({
      replan: async () => {
        throw failure
      },
    })
    await expect(bench.clock.run(until())).rejects.toBe(failure)
  })
})
