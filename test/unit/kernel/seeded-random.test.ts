import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/kernel/seeded-random.js'

const drawn = (seed: number, count: number) => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.uniform())
}

describe('chance with a seed', () => {
  it('is the same again for the same seed, whatever else is drawn beside it', () => {
    const [one, other] = [seededRandom(7), seededRandom(7)]
    seededRandom(8).uniform()
    for (let draw = 0; draw < 100; draw += 1) expect(one.uniform()).toBe(other.uniform())
    expect(one.hexId(8)).toBe(other.hexId(8))
  })

  it('is mulberry32, so that a seed means the same in every version', () => {
    expect(drawn(0, 1)).toEqual([0.26642920868471265])
    expect(drawn(1, 1)).toEqual([0.6270739405881613])
  })

  it('differs from seed to seed, also for seeds that lie side by side', () => {
    const first = Array.from({ length: 1_000 }, (_, seed) => drawn(seed, 1)[0])
    expect(new Set(first).size).toBe(1_000)
  })

  it('takes any number for a seed, by its 32 lowest bits', () => {
    expect(drawn(-1, 3)).toEqual(drawn(0xffff_ffff, 3))
    expect(drawn(2 ** 32 + 5, 3)).toEqual(drawn(5, 3))
  })

  it('lies in [0, 1), as often in one tenth of it as in another', () => {
    const numbers = drawn(42, 20_000)
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...numbers)).toBeLessThan(1)
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const count = numbers.filter((number) => Math.floor(number * 10) === tenth).length
      expect(count).toBeGreaterThan(1_800)
      expect(count).toBeLessThan(2_200)
    }
  })

  it('writes ids of so many bytes, all of whose values come', () => {
    const random = seededRandom(3)
    expect(random.hexId(0)).toBe('')
    expect(random.hexId(6)).toMatch(/^[0-9a-f]{12}$/)
    const bytes = random.hexId(4_096).match(/../g) ?? []
    expect(new Set(bytes).size).toBe(256)
    expect(random.hexId(16)).not.toBe(random.hexId(16))
  })
})
