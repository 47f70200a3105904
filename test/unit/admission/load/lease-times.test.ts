import { describe, expect, it } from 'vitest'
import {
  hasLateLeases,
  isOverdue,
  lateMs,
  releaseMs,
} from '../../../../src/admission/load/lease-times.js'
import { chainOf, ledgerOf, legOf, planOf } from '../plans.js'

const plan = planOf()
/** Due from 1 s on for 20 s at real time; a tail of 1.36 s, and a second of grace. */
const leg = legOf()
const RELEASED_MS = 1_000 + 20_000 + 1_360 + 1_000

describe('a lease', () => {
  it('is as late as its sender told, however long ago', () => {
    expect(lateMs(leg, 1, 500_000)).toBe(0)
    expect(lateMs({ ...leg, behindMs: 700 }, 1, 500_000)).toBe(700)
  })

  it('that is stopped falls behind with the time, and never catches up', () => {
    const stopped = legOf({ stoppedFrame: 100, behindMs: 300 })
    // Frame 100 was due 8 s after the first one.
    expect(lateMs(stopped, 1, 9_000)).toBe(300)
    expect(lateMs(stopped, 1, 9_300)).toBe(300)
    expect(lateMs(stopped, 1, 12_000)).toBe(3_000)
    expect(lateMs(stopped, 2, 12_000)).toBe(7_000)
  })

  it('is released after its audio and its tail, at its pace and as late as it is', () => {
    expect(releaseMs(plan, leg, 1, 0)).toBe(RELEASED_MS)
    expect(releaseMs(plan, leg, 2, 0)).toBe(RELEASED_MS - 10_000)
    expect(releaseMs(plan, legOf({ behindMs: 400 }), 1, 0)).toBe(RELEASED_MS + 400)
    expect(releaseMs(plan, legOf({ stoppedFrame: 0 }), 1, 6_000)).toBe(RELEASED_MS + 5_000)
  })

  it('is overdue from then on, while a leg that is only planned never is', () => {
    expect(isOverdue(plan, leg, 1, RELEASED_MS - 1)).toBe(false)
    expect(isOverdue(plan, leg, 1, RELEASED_MS)).toBe(true)
    expect(isOverdue(plan, legOf({ open: false }), 1, RELEASED_MS)).toBe(false)
    expect(isOverdue(plan, legOf({ stoppedFrame: 5 }), 1, RELEASED_MS)).toBe(false)
  })
})

describe('an engine', () => {
  const calm = chainOf('a/0', [leg, legOf({ index: 1, startMs: 21_000, open: false })])
  const isUneasyWith = (changes: Parameters<typeof legOf>[0], nowMs = 10_000) =>
    hasLateLeases(plan, ledgerOf(calm, chainOf('b/0', [legOf(changes)])), nowMs)

  it('is calm while everybody is on time', () => {
    expect(hasLateLeases(plan, ledgerOf(), 10_000)).toBe(false)
    expect(isUneasyWith({})).toBe(false)
  })

  it.each([
    ['is behind', { behindMs: 1 }],
    ['waits for a block', { stoppedFrame: 0 }],
  ])('is uneasy while one lease %s, and not for one that is only planned', (_, changes) => {
    expect(isUneasyWith(changes)).toBe(true)
    expect(isUneasyWith({ ...changes, open: false })).toBe(false)
  })

  it('is uneasy while one lease is overdue', () => {
    expect(isUneasyWith({ startMs: -15_000 }, RELEASED_MS - 16_000)).toBe(true)
    expect(isUneasyWith({ startMs: -15_000 }, RELEASED_MS - 16_001)).toBe(false)
  })
})
