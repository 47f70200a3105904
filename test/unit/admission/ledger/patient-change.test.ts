import { beforeEach, describe, expect, it } from 'vitest'
import type { Ledger } from '../../../../src/admission/ledger/ledger.js'
import { LedgerClient } from '../../../../src/admission/ledger/ledger-client.js'
import { changePatiently } from '../../../../src/admission/ledger/patient-change.js'
import { MemoryLedgerStore } from '../../../../src/admission/store/memory-ledger-store.js'
import { UpstreamError } from '../../../../src/kernel/errors.js'
import { StepClock } from '../../../fakes/step-clock.js'
import { chainOf, ledgerOf, planOf } from '../plans.js'

const OUT = new UpstreamError('queue_unavailable', 'Redis is out.')
/** Waits are as long as on average. */
const random = { uniform: () => 0.5, hexId: () => '' }

/** A store that fails while it is told to. */
class FailingStore extends MemoryLedgerStore {
  failure: Error | null = null
  reads = 0

  override async read(...args: Parameters<MemoryLedgerStore['read']>) {
    this.reads += 1
    if (this.failure) throw this.failure
    return await super.read(...args)
  }
}

let clock: StepClock
let store: FailingStore
let stop: AbortController

beforeEach(() => {
  clock = new StepClock(1_000)
  store = new FailingStore({ clock })
  stop = new AbortController()
})

/** A change that puts a chain in; how it ended, once it has. */
function change() {
  const client = new LedgerClient({
    ...{ engine: 'e', store, clock, random, plan: planOf(), liveShare: 0 },
  })
  const state = { tries: [] as number[], settled: [] as string[], outcome: 'waits' as unknown }
  const step = (_: Ledger, nowMs: number) => {
    state.tries.push(nowMs)
    return { ledger: ledgerOf(chainOf('a/0', [])), value: 'done' }
  }
  const settle = (value: string) => state.settled.push(value)
  const done = changePatiently(client, { clock, random, signal: stop.signal }, step, settle).then(
    (value) => {
      state.outcome = value
    },
    (error: unknown) => {
      state.outcome = error
    },
  )
  return { state, done }
}

const chains = async () => {
  const { ledger } = await store.read('e', { signal: new AbortController().signal })
  return ledger.chains.map(({ id }) => id)
}

describe('a change while the store is out', () => {
  it('is made at once where the store answers, and taken over before it is told', async () => {
    const { state, done } = change()
    await done
    expect(state).toEqual({ tries: [1_000], settled: ['done'], outcome: 'done' })
    expect(await chains()).toEqual(['a/0'])
  })

  it('waits, asks about twice a second, and is made anew once the store is back', async () => {
    store.failure = OUT
    const { state, done } = change()
    await clock.advance(10_250)
    expect(store.reads).toBe(21)
    expect(state).toEqual({ tries: [], settled: [], outcome: 'waits' })
    store.failure = null
    await clock.advance(250)
    await done
    expect(state).toEqual({ tries: [11_500], settled: ['done'], outcome: 'done' })
    expect(await chains()).toEqual(['a/0'])
  })

  it('gives up after a minute with what the store said', async () => {
    store.failure = OUT
    const { state, done } = change()
    await clock.advance(60_000)
    expect(state.outcome).toBe('waits')
    await clock.advance(500)
    await done
    expect(state.outcome).toBe(OUT)
  })

  it('does not wait for what waiting does not help', async () => {
    const broken = new TypeError('broken')
    store.failure = broken
    const { state, done } = change()
    await done
    expect(state.outcome).toBe(broken)
    expect(store.reads).toBe(1)
  })

  it('ends with the stop, while it waits and while it asks', async () => {
    store.failure = OUT
    const waiting = change()
    await clock.advance(100)
    stop.abort('stop')
    await waiting.done
    expect(waiting.state.outcome).toBe('stop')
    expect(clock.sleeping).toBe(0)
    const asking = change()
    await asking.done
    expect(asking.state.outcome).toBe(OUT)
  })
})
