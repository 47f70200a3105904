import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deltasDue, deltasTotal, tailSteps } from '../../../src/model/step-law.js'
import {
  EnginePadding,
  isLawful,
  isShort,
  PAD_SAMPLES,
  tailOrigin,
} from '../../../src/realtime/engine-padding.js'

const A = 'ws://a/v1/realtime'
const B = 'ws://b/v1/realtime'
const anySamples = fc.integer({ min: 1, max: 10_000_000 })

describe('where the tail of a session came from', () => {
  it('is told by the count of deltas, for any audio', () => {
    fc.assert(
      fc.property(anySamples, (samples) => {
        const total = deltasTotal(samples)
        const plain = (deltas: number) => tailOrigin({ samples, isPadded: false, deltas })
        const padded = (deltas: number) => tailOrigin({ samples, isPadded: true, deltas })
        // What an engine answers that pads, and one that doesn't, with and without our padding.
        expect(plain(total)).toBe('engine')
        expect(plain(deltasDue(samples))).toBe('none')
        expect(padded(deltasDue(samples + PAD_SAMPLES))).toBe('ours')
        expect(padded(deltasTotal(samples + PAD_SAMPLES))).toBe('both')
        expect(plain(total + tailSteps())).toBe('unlawful')
        expect(padded(total + 1)).toBe('unlawful')
      }),
    )
  })

  it('is short in between, and unlawful below what the audio alone demands', () => {
    const samples = 160_000
    const due = deltasDue(samples)
    for (const isPadded of [false, true]) {
      const origin = (deltas: number) => tailOrigin({ samples, isPadded, deltas })
      expect(origin(due - 1)).toBe('unlawful')
      expect(origin(due + 1)).toBe('short')
      expect(origin(deltasTotal(samples) - 1)).toBe('short')
    }
    expect(tailOrigin({ samples, isPadded: true, deltas: due })).toBe('short')
  })

  it('says whether times are exact, and whether text may be missing', () => {
    const origins = ['engine', 'ours', 'both', 'none', 'short', 'unlawful'] as const
    expect(origins.filter(isLawful)).toEqual(['engine', 'ours', 'both'])
    expect(origins.filter(isShort)).toEqual(['none', 'short'])
  })
})

describe('what is remembered of engines', () => {
  it('each is padded from its first session without a tail on, and no other one', () => {
    const padding = new EnginePadding()
    expect(padding.isMissing(A)).toBe(false)
    padding.learn(A, 'none')
    padding.learn(B, 'engine')
    expect([padding.isMissing(A), padding.isMissing(B)]).toEqual([true, false])
    padding.learn(A, 'ours')
    expect(padding.isMissing(A)).toBe(true)
  })

  it('one that pads on top of our padding is not padded any more', () => {
    const padding = new EnginePadding()
    padding.learn(A, 'none')
    padding.learn(A, 'both')
    expect(padding.isMissing(A)).toBe(false)
  })

  it.each(['short', 'unlawful'] as const)('a tail that is %s says nothing', (origin) => {
    const padding = new EnginePadding()
    padding.learn(A, origin)
    expect(padding.isMissing(A)).toBe(false)
    padding.learn(A, 'none')
    padding.learn(A, origin)
    expect(padding.isMissing(A)).toBe(true)
  })
})
