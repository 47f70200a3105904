import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  areAllKnown,
  type ConnectionCount,
  ConnectionLog,
  freshReadings,
} from '../../../../src/admission/engine/connection-count.js'

const reading = (connections: number, fromMs = 10_000) => ({
  ...{ fromMs, toMs: fromMs + 20, connections },
})
const told = (...connections: ConnectionCount[]) => ({
  ...{ atMs: 11_000, connectionCounts: connections },
})

describe('the connections of an engine', () => {
  it('are all known where those who live had as many', () => {
    const both = [told([0, 3]), told([0, 0], [9_000, 2])]
    expect(areAllKnown([reading(5)], both)).toBe(true)
    expect(areAllKnown([reading(6)], both)).toBe(false)
    expect(areAllKnown([reading(0)], [])).toBe(true)
    expect(areAllKnown([], both)).toBe(false)
  })

  it('are known only by the least that each of them had around that moment', () => {
    for (const changedMs of [9_850, 10_010, 10_200]) {
      expect(areAllKnown([reading(5)], [told([0, 4], [changedMs, 5])])).toBe(false)
      expect(areAllKnown([reading(5)], [told([0, 5], [changedMs, 4])])).toBe(false)
      expect(areAllKnown([reading(4)], [told([0, 4], [changedMs, 5])])).toBe(true)
    }
    expect(areAllKnown([reading(4)], [told([0, 4], [10_500, 3])])).toBe(true)
    expect(areAllKnown([reading(5)], [told([0, 4], [9_500, 5])])).toBe(true)
  })

  it('are not known from what was told before, or of a time that nobody remembers', () => {
    expect(areAllKnown([reading(4)], [{ atMs: 10_050, connectionCounts: [[0, 4]] }])).toBe(false)
    expect(areAllKnown([reading(4)], [told([10_500, 4])])).toBe(false)
    expect(areAllKnown([reading(0)], [told()])).toBe(false)
    // A worker of an older release tells of none.
    const older = { atMs: 11_000 } as ReturnType<typeof told>
    expect(areAllKnown([reading(0)], [older])).toBe(false)
  })

  it('are known by the newest reading that can be compared, and by no older one', () => {
    const lasting = [told([0, 3])]
    expect(areAllKnown([reading(9, 8_000), reading(3), reading(9, 12_000)], lasting)).toBe(true)
    expect(areAllKnown([reading(3, 8_000), reading(4), reading(3, 12_000)], lasting)).toBe(false)
    const readings = [1, 4, 7].map((second) => reading(0, second * 1_000))
    expect(freshReadings(readings, 8_000).map(({ fromMs }) => fromMs)).toEqual([4_000, 7_000])
  })
})

describe('the log of connections', () => {
  it('tells the count of every moment that it keeps', () => {
    const changes = fc.array(
      fc.record({ by: fc.constantFrom<1 | -1>(1, -1), afterMs: fc.integer({ min: 1, max: 900 }) }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(changes, (all) => {
        const log = new ConnectionLog()
        let nowMs = 0
        let count = 0
        const counts: ConnectionCount[] = [[0, 0]]
        for (const { by, afterMs } of all) {
          nowMs += afterMs
          count += by
          log.add(by, nowMs)
          counts.push([nowMs, count])
        }
        const taken = log.take(nowMs)
        expect(counts.slice(-taken.length)).toEqual(taken)
        const [first] = taken as [ConnectionCount]
        expect(first[0] === 0 || first[0] <= nowMs - 5_000).toBe(true)
      }),
    )
  })

  it('forgets the oldest of too many changes', () => {
    const log = new ConnectionLog()
    for (let each = 0; each < 600; each += 1) log.add(1, 1_000)
    const taken = log.take(1_000)
    expect(taken).toHaveLength(512)
    expect(taken.at(-1)).toEqual([1_000, 600])
  })
})
