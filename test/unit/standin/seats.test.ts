import { describe, expect, it } from 'vitest'
import { Seats } from '../../../gpu/standin/seats.js'

describe('seats', () => {
  it('seat so many and let the others wait in order', () => {
    const seated: string[] = []
    const seats = new Seats<string>(2, (holder) => seated.push(holder))
    expect(['a', 'b', 'c', 'd', 'a'].map((holder) => seats.take(holder))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ])
    expect([seats.seatedCount, seats.waitingCount]).toEqual([2, 2])
    seats.release('b')
    expect(seated).toEqual(['c'])
    expect(seats.take('c')).toBe(true)
    seats.release('d')
    seats.release('a')
    expect(seated).toEqual(['c'])
    expect([seats.seatedCount, seats.waitingCount]).toEqual([1, 0])
  })

  it('take a second release, and one of a stranger, for nothing', () => {
    const seats = new Seats<string>(1, () => {})
    seats.take('a')
    seats.take('b')
    seats.release('x')
    seats.release('a')
    seats.release('a')
    expect([seats.seatedCount, seats.waitingCount]).toEqual([1, 0])
  })
})
