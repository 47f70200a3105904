import { describe, expect, it } from 'vitest'
import { StoreTime } from '../../../src/kernel/store-time.js'

describe('StoreTime', () => {
  it('is our own until it was heard, and in between is the middle of the way', () => {
    const time = new StoreTime()
    expect(time.toStore(70)).toBe(70)
    time.note(10_100, 90, 110)
    expect([time.toStore(100), time.toMonotonic(10_100)]).toEqual([10_100, 100])
  })

  it('takes the sample with the shortest round trip', () => {
    const time = new StoreTime()
    time.note(1_000_020, 0, 40)
    time.note(1_000_105, 100, 110)
    time.note(1_000_260, 200, 320)
    expect(time.toStore(500)).toBe(1_000_500)
    expect(time.toMonotonic(1_000_500)).toBe(500)
  })

  it('shows at least what it would if the answer had come at once', () => {
    const time = new StoreTime()
    time.note(1_000_020, 0, 40)
    expect([time.toStore(40), time.toStoreAtLeast(40)]).toEqual([1_000_040, 1_000_020])
  })

  it('forgets a sample once there are enough newer ones', () => {
    const time = new StoreTime()
    time.note(1_000_000, 0, 2)
    for (let at = 1; at <= 16; at += 1)
      time.note(1_000_030 + at * 1_000, at * 1_000, at * 1_000 + 20)
    expect(time.toStore(0)).toBe(1_000_020)
  })

  it('follows at once when its own clock has stood still, as that of a suspended host does', () => {
    const time = new StoreTime()
    for (let at = 0; at < 16; at += 1) time.note(1_000_000 + at, at, at)
    time.note(1_060_020, 16, 24)
    expect(time.toStore(24)).toBe(1_060_024)
  })

  it("follows at once when the store's clock is behind, as after a failover", () => {
    const time = new StoreTime()
    for (let at = 0; at < 16; at += 1) time.note(1_000_000 + at, at, at)
    time.note(995_020, 16, 24)
    expect(time.toStore(24)).toBe(995_024)
  })

  it('keeps the truest sample beside those that a slow answer makes worse', () => {
    const time = new StoreTime()
    time.note(1_000_000, 0, 0)
    time.note(1_000_010, 10, 4_000)
    expect(time.toStore(0)).toBe(1_000_000)
  })
})
