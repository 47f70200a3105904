import { describe, expect, it } from 'vitest'
import { enginesNeeded, possibleChanges } from '../../../src/planning/plan-changes.js'

const scope = {
  ...{ policy: 'elastic' as const, pace: 1, floorMs: 20_000, engines: 2 },
  ...{ knowsSteps: true, isWaiting: true },
}

describe('possibleChanges', () => {
  it('begins with what is cheapest', () => {
    expect(possibleChanges(scope)).toEqual([
      { kind: 'pace', pace: 1.25 },
      { kind: 'pace', pace: 1.5 },
      { kind: 'floor', floorMs: 10_000 },
      { kind: 'engines', engines: 3 },
    ])
  })

  it('tries our own policy before anything else, and no floor with another one', () => {
    const kinds = possibleChanges({ ...scope, policy: 'fixed' }).map(({ kind }) => kind)
    expect(kinds).toEqual(['policy', 'pace', 'pace', 'engines'])
  })

  it.each([
    ['no step budget', { knowsSteps: false }],
    ['as fast as it goes already', { pace: 0 }],
    ['fast already', { pace: 2 }],
  ])('does not try a higher pace: %s', (_, changes) => {
    const kinds = possibleChanges({ ...scope, ...changes }).map(({ kind }) => kind)
    expect(kinds).not.toContain('pace')
  })

  it('does not shorten legs that are short', () => {
    const kinds = possibleChanges({ ...scope, floorMs: 8_000 }).map(({ kind }) => kind)
    expect(kinds).not.toContain('floor')
  })

  it('makes no room where nobody waits for it', () => {
    const kinds = possibleChanges({ ...scope, policy: 'fixed', isWaiting: false })
    expect(kinds.map(({ kind }) => kind)).toEqual(['pace', 'pace'])
  })
})

describe('enginesNeeded', () => {
  it.each([
    [{ engines: 3, takesMs: 600, leftMs: 300, longestMs: 100 }, 6],
    [{ engines: 3, takesMs: 310, leftMs: 300, longestMs: 100 }, 4],
    [{ engines: 3, takesMs: 600, leftMs: 100, longestMs: 100 }, null],
  ])('%j: %s', (options, engines) => {
    expect(enginesNeeded(options)).toBe(engines)
  })
})
