import { describe, expect, it } from 'vitest'
import { PackedRanges } from '../../../../src/storage/documents/packed-ranges.js'

const ranges = [
  [0, 12.5],
  [40, 41],
  [86_400_000, 86_400_001],
] as const

describe('packed ranges', () => {
  it('are what went in, one by one, in a loop and in JSON', () => {
    const packed = new PackedRanges(ranges)
    expect(packed).toHaveLength(3)
    expect([packed.at(0), packed.at(2)]).toEqual([ranges[0], ranges[2]])
    expect([...packed]).toEqual(ranges)
    expect(JSON.stringify({ packed })).toBe(JSON.stringify({ packed: ranges }))
  })

  it('have nothing past their end', () => {
    expect(new PackedRanges(ranges).at(3)).toBeUndefined()
    expect(new PackedRanges([]).at(0)).toBeUndefined()
    expect([...new PackedRanges([])]).toEqual([])
  })
})
