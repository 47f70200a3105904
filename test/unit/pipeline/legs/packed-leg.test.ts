import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CompletedLeg } from '../../../../src/pipeline/legs/completed-leg.js'
import { PackedLeg } from '../../../../src/pipeline/legs/packed-leg.js'
import type { WordGroup } from '../../../../src/transcript/words/align.js'

const facts = {
  ...{ fromFrame: 25, endFrame: 400, nextFrame: 375, cut: 'quiet', samples: 480_000 },
  ...{ deltas: 386, verified: true, attempt: 2, heldMs: 31_000.5, lanesRunning: 7 },
  engine: { model: 'm', version: null, isStandin: true },
  kvBlocks: { granted: 30, held: 25 },
} as const satisfies Omit<CompletedLeg, 'groups'>

const places = { endMs: fc.nat(43_200_000), leg: fc.nat(2_000), step: fc.nat(131_072) }
const text = fc.string({ unit: 'binary' })
const pieces = fc.array(fc.tuple(fc.nat(131_072), fc.nat(4_000)), { maxLength: 5 })
const group: fc.Arbitrary<WordGroup> = fc.oneof(
  fc.record({ ...places, text }),
  fc.record({ ...places, text, pieces }),
  fc.record({ ...places, text, isTail: fc.constant(true as const) }),
  fc.record({ ...places, text, pieces, isTail: fc.constant(true as const) }),
)

describe('a packed leg', () => {
  it('comes out as it went in, whatever was said', () => {
    fc.assert(
      fc.property(fc.array(group), (groups) => {
        const leg = { ...facts, groups }
        expect(new PackedLeg(leg).unpack()).toEqual(leg)
      }),
    )
  })

  it('takes no time that it could not give back', () => {
    const groups = [{ text: ' so', endMs: 80.5, leg: 0, step: 1 }]
    expect(() => new PackedLeg({ ...facts, groups })).toThrow('whole numbers')
  })
})
