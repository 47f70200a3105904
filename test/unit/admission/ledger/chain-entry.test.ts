import { describe, expect, it } from 'vitest'
import { ChainEntry } from '../../../../src/admission/ledger/chain-entry.js'
import type { Chain, PlannedLeg } from '../../../../src/admission/ledger/ledger.js'
import { chainOf, ledgerOf, legOf } from '../plans.js'

const entry = new ChainEntry({ chainId: 'a/0', worker: 'w', pace: 2, live: true })
const lease = legOf()
const planned = legOf({ index: 1, startMs: 21_000, open: false })
const ours = chainOf('a/0', [lease, planned], { pace: 2, live: true, restFrames: 70 })
const other = chainOf('b/0', [legOf()])
const ledger = ledgerOf(ours, other)
const foreign = ledgerOf({ ...ours, worker: 'another' }, other)

describe('a lane in a ledger', () => {
  it('is found by its id', () => {
    expect(entry.find(ledger)).toBe(ours)
    expect(entry.find(ledgerOf(other))).toBeUndefined()
  })

  it('is ours unless another worker’s chain of it stands', () => {
    expect([ledger, ledgerOf(other), foreign].map((each) => entry.isOurs(each))).toEqual([
      ...[true, true, false],
    ])
  })

  it('is taken out where it is ours and stands', () => {
    expect(entry.without(ledger)?.chains).toEqual([other])
    expect(entry.without(ledgerOf(other))).toBeNull()
    expect(entry.without(foreign)).toBeNull()
  })

  it('is made of what is held, and of what is planned from there on', () => {
    const both = entry.chain([lease, legOf({ index: 1 })], { legs: [planned], restFrames: 70 })
    expect(both).toEqual(ours)
    const leases = [lease, legOf({ index: 1 })]
    expect(entry.chain(leases, { legs: [], restFrames: 0 }).legs).toEqual(leases)
  })

  it('is carried again with all that was planned: it is parked no more', () => {
    expect(entry.chain([], { legs: [planned], restFrames: 0 }).parkedSinceMs).toBeNull()
  })
})

describe('a lease of a lane', () => {
  it('stands there as it is here', () => {
    expect(entry.has(ledger, { ...lease })).toBe(true)
    expect(entry.has(ledger, planned)).toBe(true)
    expect(entry.has(foreign, lease)).toBe(false)
    expect(entry.has(ledgerOf(other), lease)).toBe(false)
  })

  it.each<[keyof PlannedLeg, Partial<PlannedLeg>]>([
    ['index', { index: 2 }],
    ['open', { open: false }],
    ['startMs', { startMs: 1_001 }],
    ['frames', { frames: 251 }],
    ['behindMs', { behindMs: 1 }],
    ['stoppedFrame', { stoppedFrame: 0 }],
  ])('does not stand there with another %s', (_, changes) => {
    expect(entry.has(ledger, { ...lease, ...changes })).toBe(false)
  })
})

describe('a lane that is written', () => {
  const state = { legs: ours.legs, restFrames: 70, parkedSinceMs: null }

  it('changes nothing where it stands so already', () => {
    const same = { ...state, legs: [{ ...lease }, { ...planned }] }
    expect(entry.put(ledger, same)).toBe(ledger)
  })

  it.each<[string, Partial<Chain>]>([
    ['a leg less', { legs: [lease] }],
    ['a leg more', { legs: [lease, planned, legOf({ index: 2 })] }],
    ['other legs', { legs: [lease, { ...planned, frames: 1 }] }],
    ['another rest', { restFrames: 0 }],
    ['a wait', { parkedSinceMs: 5 }],
  ])('stands with %s, as the same lane of the same worker', (_, changes) => {
    expect(entry.put(ledger, { ...state, ...changes }).chains).toEqual([
      { ...ours, ...changes },
      other,
    ])
  })

  it('is put beside the others where it did not stand', () => {
    expect(entry.put(ledgerOf(other), state).chains).toEqual([other, ours])
  })

  it('changes one leg, beside whatever else stands there', () => {
    const late = { ...lease, behindMs: 400 }
    const after = entry.withLeg(ledger, late)
    expect(after.chains).toEqual([{ ...ours, legs: [late, planned] }, other])
    expect(entry.withLeg(ledger, lease)).toBe(ledger)
  })

  it('takes up a lease that was lost, in front of all that is planned', () => {
    const lost = ledgerOf({ ...ours, legs: [planned], parkedSinceMs: 5 })
    const found = entry.withLeg(lost, lease)
    expect(found.chains).toEqual([{ ...ours, parkedSinceMs: 5 }])
    const alone = { ...ours, legs: [lease], restFrames: 0 }
    expect(entry.withLeg(ledgerOf(), lease).chains).toEqual([alone])
  })
})
