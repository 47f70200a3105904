import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { kvBlocksHeld, kvBlocksPlanned } from '../../../src/model/kv-model.js'
import { LegCurve } from '../../../src/model/leg-curve.js'
import { deltasDue, deltasTotal } from '../../../src/model/step-law.js'
import { MODEL } from '../admission/plans.js'

const FRAME_SAMPLES = 1_280
const models = fc.record({
  blockTokens: fc.constantFrom(16, 32),
  encoderWindowTokens: fc.constantFrom(189, 750),
  decoderWindowTokens: fc.constant(8192),
  decoderBlockRatio: fc.constant(8),
})
const curves = models.map((model) => ({ model, curve: new LegCurve(model) }))
const few = { numRuns: 12 }

describe('the curve of a leg', () => {
  it('is what a session may hold that was sent so many frames, and never falls', () => {
    fc.assert(
      fc.property(curves, fc.integer({ min: 1, max: 25_000 }), ({ model, curve }, frames) => {
        const deltas = deltasDue(frames * FRAME_SAMPLES)
        expect(curve.blocksAfter(frames)).toBeGreaterThanOrEqual(kvBlocksHeld(model, deltas))
        expect(curve.blocksAfter(frames)).toBeGreaterThanOrEqual(curve.blocksAfter(frames - 1))
      }),
    )
  })

  it('begins with what a session is counted with from its opening on', () => {
    const curve = new LegCurve(MODEL)
    expect(curve.openBlocks).toBe(kvBlocksPlanned(MODEL, 0))
    expect(curve.blocksAfter(0)).toBe(curve.openBlocks)
    // Seven frames must have been heard before the first delta.
    expect(curve.blocksAfter(7)).toBe(curve.openBlocks)
  })

  it('peaks with all the deltas that a whole leg gives', () => {
    const curve = new LegCurve(MODEL)
    for (const frames of [1, 30, 250, 999, 7_500]) {
      const deltas = deltasTotal(frames * FRAME_SAMPLES)
      // A whole leg in samples gives one delta less: its last step looks 2.5 ms ahead.
      expect(curve.peakBlocks(frames)).toBe(kvBlocksPlanned(MODEL, deltas + 1))
    }
  })

  it('tells with which frame it rises, and which rise is the next one', () => {
    const curve = new LegCurve(MODEL)
    let [held, passed] = [curve.openBlocks, 0]
    for (let frame = 0; frame < 9_000; frame += 1) {
      const step = curve.steps[passed]
      if (curve.stepFrom(frame) !== passed) expect([frame, curve.stepFrom(frame)]).toBe(passed)
      if (step?.frame === frame) {
        held += step.blocks
        passed += 1
      }
      const sent = frame + 1
      if (curve.blocksAfter(sent) !== held) expect([sent, curve.blocksAfter(sent)]).toBe(held)
    }
    expect(passed).toBe(curve.steps.length)
    expect(curve.stepFrom(1e9)).toBe(passed)
    expect(curve.steps.every(({ blocks }) => blocks > 0)).toBe(true)
  })

  it('has the same steps as columns', () => {
    const { steps, stepFrames, stepBlocks } = new LegCurve(MODEL)
    expect(steps.length).toBeGreaterThan(60)
    expect([...stepFrames]).toEqual(steps.map(({ frame }) => frame))
    expect([...stepBlocks]).toEqual(steps.map(({ blocks }) => blocks))
  })

  it('sums what is held frame by frame, also beyond the frames that it tables', () => {
    fc.assert(
      fc.property(curves, fc.integer({ min: 0, max: 24_000 }), ({ curve }, frames) => {
        let sum = 0
        for (let sent = 1; sent <= frames; sent += 1) sum += curve.blocksAfter(sent)
        expect(curve.sumUntil(frames)).toBe(sum)
      }),
      few,
    )
    const curve = new LegCurve(MODEL)
    const last = curve.peakBlocks(1e9)
    expect(curve.sumUntil(90_000) - curve.sumUntil(20_000)).toBe(70_000 * last)
  })
})
