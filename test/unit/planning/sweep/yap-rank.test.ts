import { describe, expect, it } from 'vitest'
import { rank } from '../../../../src/planning/sweep/yap-view.js'

describe("yap's p95", () => {
  it.each([
    [8, 8],
    [32, 30],
    [64, 61],
    [100, 95],
    [31, 29], // 28.5 goes to the even index 28, as Python rounds
    [11, 11], // 9.5 goes to 10
    [1, 1],
  ])('of %d values is the %dth', (count, place) => {
    const values = Array.from({ length: count }, (_, index) => index + 1)
    expect(rank(values, 0.95)).toBe(place)
  })
})
