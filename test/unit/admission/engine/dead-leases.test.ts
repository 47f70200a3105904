import { describe, expect, it } from 'vitest'
import { deadLeases, removeDeadLeases } from '../../../../src/admission/engine/dead-leases.js'
import type { LedgerStore, WorkerHeartbeats } from '../../../../src/admission/index.js'
import { type Chain, EMPTY_LEDGER, type Ledger } from '../../../../src/admission/ledger/ledger.js'

const options = { signal: new AbortController().signal }
const chain = (id: string, worker: string): Chain => {
  return { id, worker, pace: 1, live: false, legs: [], restFrames: 0, parkedSinceMs: null }
}

/** One ledger, and signs that are given and taken by hand. */
function bench(chains: readonly Chain[], alive: string[]) {
  let standing: Ledger = { ...EMPTY_LEDGER, chains }
  let revision = 1
  const ledgers: LedgerStore = {
    read: async () => ({ ledger: standing, revision, nowMs: 0 }),
    async write(_engine, ledger, { revision: seen }) {
      if (seen !== revision) return null
      standing = ledger
      revision += 1
      return revision
    },
  }
  const heartbeats: WorkerHeartbeats = {
    async beat() {},
    ages: async (workers) => new Map(workers.map((w) => [w, alive.includes(w) ? 20_000 : null])),
    async deregister() {},
  }
  return { ports: { ledgers, heartbeats }, alive, ids: () => standing.chains.map(({ id }) => id) }
}

describe('leases of the dead', () => {
  it('are those of workers whose sign has expired, and of no other', async () => {
    const { ports, ids } = bench([chain('a', 'x'), chain('b', 'y'), chain('c', 'x')], ['y'])
    const found = await deadLeases(ports, 'e', options)
    expect(found).toEqual([{ engine: 'e', worker: 'x', chains: 2 }])
    for (const each of found) await removeDeadLeases(ports, each, options)
    expect(ids()).toEqual(['b'])
    expect(await deadLeases(ports, 'e', options)).toEqual([])
  })

  it('stay when the worker gives a sign again before they go', async () => {
    const { ports, alive, ids } = bench([chain('a', 'x')], [])
    const [found] = await deadLeases(ports, 'e', options)
    alive.push('x')
    if (found) await removeDeadLeases(ports, found, options)
    expect(found?.chains).toBe(1)
    expect(ids()).toEqual(['a'])
  })
})
