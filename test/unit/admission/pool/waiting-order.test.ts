import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Waiter } from '../../../../src/admission/index.js'
import { waitingOrder } from '../../../../src/admission/pool/waiting-order.js'

const HOUR_MS = 3_600_000
const AGING_MS = 1_800_000
const NOW_MS = 10 * HOUR_MS

const waiterOf = (jobId: string, changes: Partial<Waiter> = {}): Waiter => ({
  tenant: 'default',
  jobId,
  lanes: 1,
  priority: 0,
  deadlineMs: null,
  remainingMs: HOUR_MS,
  sinceMs: NOW_MS,
  noRoomMs: null,
  ...changes,
})

const orderOf = (...waiters: readonly Waiter[]) =>
  waitingOrder(waiters, { nowMs: NOW_MS, agingMs: AGING_MS }).map(({ jobId }) => jobId)

const anyWaiters = fc.uniqueArray(
  fc.record({
    tenant: fc.constant('default'),
    jobId: fc.string({ minLength: 1, maxLength: 3 }),
    lanes: fc.integer({ min: 1, max: 4 }),
    priority: fc.integer({ min: 0, max: 3 }),
    deadlineMs: fc.constantFrom(null, NOW_MS, NOW_MS + HOUR_MS),
    remainingMs: fc.constantFrom(60_000, HOUR_MS),
    sinceMs: fc.constantFrom(NOW_MS - HOUR_MS, NOW_MS - AGING_MS, NOW_MS, NOW_MS + 1_000),
    noRoomMs: fc.constant(null),
  }),
  { selector: ({ jobId }) => jobId, maxLength: 12 },
)

describe('who goes first', () => {
  it('is who has the higher priority, whatever else', () => {
    const long = waiterOf('long', { remainingMs: 9 * HOUR_MS, deadlineMs: NOW_MS })
    expect(orderOf(long, waiterOf('short', { priority: 1, remainingMs: 1 }))).toEqual([
      'short',
      'long',
    ])
  })

  it('is then who has the earlier deadline, before all that have none', () => {
    const waiters = [
      waiterOf('none', { remainingMs: 9 * HOUR_MS }),
      waiterOf('later', { deadlineMs: NOW_MS + 2 }),
      waiterOf('earlier', { deadlineMs: NOW_MS + 1 }),
    ]
    expect(orderOf(...waiters)).toEqual(['earlier', 'later', 'none'])
  })

  it('is then who is longest, since a night waits for it', () => {
    const [short, long] = [waiterOf('short'), waiterOf('long', { remainingMs: 2 * HOUR_MS })]
    expect(orderOf(short, long)).toEqual(['long', 'short'])
  })

  it('is at last who has waited longest, or whose id comes first', () => {
    const waited = waiterOf('z', { sinceMs: NOW_MS - 1 })
    expect(orderOf(waiterOf('b'), waiterOf('a'), waited)).toEqual(['z', 'a', 'b'])
  })

  it('rises by a step of priority with every full time of aging', () => {
    const old = (sinceMs: number) => waiterOf('old', { sinceMs, remainingMs: 1 })
    const above = waiterOf('above', { priority: 2 })
    const level = waiterOf('level', { priority: 1 })
    const long = waiterOf('long')
    const order = (agedMs: number) => orderOf(long, level, above, old(NOW_MS - agedMs))
    expect(order(AGING_MS - 1)).toEqual(['above', 'level', 'long', 'old'])
    expect(order(AGING_MS)).toEqual(['above', 'level', 'old', 'long'])
    expect(order(3 * AGING_MS)).toEqual(['old', 'above', 'level', 'long'])
  })

  it('does not fall behind where the clock of the store has gone back', () => {
    const ahead = waiterOf('ahead', { sinceMs: NOW_MS + 9 * AGING_MS, remainingMs: 2 * HOUR_MS })
    expect(orderOf(waiterOf('a'), ahead)).toEqual(['ahead', 'a'])
  })

  it('is the same for whoever reads the list, in whatever order', () => {
    fc.assert(
      fc.property(anyWaiters, fc.integer({ min: 0, max: 11 }), (waiters, turn) => {
        const turned = [...waiters.slice(turn), ...waiters.slice(0, turn)].reverse()
        expect(orderOf(...turned)).toEqual(orderOf(...waiters))
      }),
    )
  })

  it('has everybody in it once, and leaves the list as it was', () => {
    const waiters = Object.freeze([waiterOf('b'), waiterOf('a')]) as Waiter[]
    expect(orderOf(...waiters)).toEqual(['a', 'b'])
    expect(waitingOrder(waiters, { nowMs: NOW_MS, agingMs: AGING_MS })[0]).toBe(waiters[1])
    expect(waiters.map(({ jobId }) => jobId)).toEqual(['b', 'a'])
  })
})
