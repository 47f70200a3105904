import { describe, expect, it } from 'vitest'
import {
  laneLoadWith,
  lanesHolding,
  lanesRunning,
  leasesOf,
  withChain,
  withLegAs,
  withLegClosed,
  withoutChain,
  withoutWorkers,
} from '../../../../src/admission/ledger/ledger-changes.js'
import { chainOf, ledgerOf, legOf } from '../plans.js'

const lease = legOf()
const planned = legOf({ index: 1, startMs: 21_000, open: false })
const a = chainOf('a/0', [lease, planned])
const b = chainOf('b/0', [legOf({ index: 5 })], { worker: 'other', pace: 2 })
const waiting = chainOf('c/0', [], { restFrames: 100, parkedSinceMs: 7 })
const ledger = ledgerOf(a, b, waiting)

describe('a chain', () => {
  it('takes the place of the one with its id, or the last one', () => {
    const changed = chainOf('b/0', [])
    expect(withChain(ledger, changed).chains).toEqual([a, changed, waiting])
    const further = chainOf('d/0', [])
    expect(withChain(ledger, further).chains).toEqual([a, b, waiting, further])
    expect(withChain(ledger, further).limit).toBe(ledger.limit)
  })

  it('is taken out with all its leases', () => {
    expect(withoutChain(ledger, 'a/0').chains).toEqual([b, waiting])
    expect(withoutChain(ledger, 'nobody/0').chains).toEqual([a, b, waiting])
  })

  it('is taken out with its worker', () => {
    expect(withoutWorkers(ledger, new Set(['w', 'x'])).chains).toEqual([b])
    expect(withoutWorkers(ledger, new Set()).chains).toEqual([a, b, waiting])
  })
})

describe('a lease that is closed', () => {
  const close = (chain: typeof a, index: number) =>
    withLegClosed(ledgerOf(chain, b), { chainId: chain.id, index, nowMs: 99 }).chains

  it('leaves those that were opened after it', () => {
    const next = { ...planned, open: true }
    expect(close({ ...a, legs: [lease, next] }, 0)).toEqual([{ ...a, legs: [next] }, b])
  })

  it('was the last one of its chain: then the chain is gone', () => {
    expect(close({ ...a, legs: [lease] }, 0)).toEqual([b])
  })

  it('leaves a chain parked that has audio left, planned or not', () => {
    expect(close(a, 0)).toEqual([{ ...a, legs: [planned], parkedSinceMs: 99 }, b])
    const rest = { ...a, legs: [lease], restFrames: 3 }
    expect(close(rest, 0)).toEqual([{ ...rest, legs: [], parkedSinceMs: 99 }, b])
  })

  it('leaves a chain parked for as long as it was', () => {
    const parked = { ...a, legs: [lease, planned], parkedSinceMs: 50 }
    expect(close(parked, 0)).toEqual([{ ...parked, legs: [planned] }, b])
  })

  it('of nobody changes nothing', () => {
    expect(withLegClosed(ledger, { chainId: 'nobody/0', index: 0, nowMs: 99 })).toBe(ledger)
  })
})

describe('a leg', () => {
  it('takes the place of the one with its index', () => {
    const late = { ...lease, behindMs: 300 }
    const after = withLegAs(ledger, 'a/0', late)
    expect(after.chains).toEqual([{ ...a, legs: [late, planned] }, b, waiting])
    expect(withLegAs(ledger, 'a/0', { ...late, index: 9 }).chains).toEqual(ledger.chains)
    expect(withLegAs(ledger, 'nobody/0', late)).toBe(ledger)
  })
})

describe('the lanes of a ledger', () => {
  it('are all its chains, parked ones too; a change-over counts once', () => {
    const both = { ...a, legs: [lease, { ...planned, open: true }] }
    expect(lanesRunning(ledgerOf(both, b, waiting))).toBe(3)
  })

  it('that hold a session are fewer, another one than one of them', () => {
    expect(lanesHolding(ledger, '')).toBe(2)
    expect(lanesHolding(ledger, 'a/0')).toBe(1)
    expect(lanesHolding(ledger, 'c/0')).toBe(2)
  })

  it('are a crowd together with those that would join', () => {
    expect(laneLoadWith(ledger, [])).toEqual({ lanes: 3, pace: 4 / 3 })
    expect(laneLoadWith(ledger, [0, 3])).toEqual({ lanes: 5, pace: 8 / 5 })
  })

  it('lease what is open, and nothing of what is only planned', () => {
    expect(leasesOf(ledger)).toEqual([
      { chain: a, leg: lease },
      { chain: b, leg: legOf({ index: 5 }) },
    ])
  })
})
