import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chainPeak } from '../../../../src/admission/load/chain-peak.js'
import { stepCostMs } from '../../../../src/model/step-model.js'
import { chainOf, GRID_MS, heldAt, legOf, planOf, releasedMs, STEPS } from '../plans.js'

const plan = planOf({ stepModel: STEPS, limits: { stepMs: 50 } })

/**
 * The legs of a chain one after the other, each beginning at the end of the one before or
 * sooner.
 */
const chains = fc
  .record({
    pace: fc.constantFrom(0.5, 1, 2),
    parts: fc.array(
      fc.record({
        frames: fc.integer({ min: 30, max: 400 }),
        overlap: fc.integer({ min: 0, max: 25 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  })
  .map(({ pace, parts }) => {
    let startMs = 1_000
    const legs = parts.map(({ frames, overlap }, index) => {
      const leg = legOf({ index, startMs, frames, open: index === 0 })
      startMs += (frames - overlap) * (80 / pace)
      return leg
    })
    return chainOf('a/0', legs, { pace })
  })

describe('the most that a chain asks for', () => {
  it('is what it holds at its fullest moment', () => {
    fc.assert(
      fc.property(chains, (chain) => {
        const peak = chainPeak(plan, chain, 0)
        const last = Math.max(...chain.legs.map((leg) => releasedMs(plan, leg, chain.pace)))
        let most = { blocks: 0, stepMs: 0, sessions: 0 }
        for (let atMs = 0; atMs < last; atMs += GRID_MS) {
          const held = chain.legs.map((leg) => heldAt(plan, leg, chain.pace, atMs))
          const sum = (of: 'blocks' | 'stepMs' | 'sessions') =>
            held.reduce((total, each) => total + each[of], 0)
          most = {
            blocks: Math.max(most.blocks, sum('blocks')),
            stepMs: Math.max(most.stepMs, sum('stepMs')),
            sessions: Math.max(most.sessions, sum('sessions')),
          }
        }
        // A frame that is due at the very moment of a release counts: two blocks at most.
        expect(peak.blocks).toBeGreaterThanOrEqual(most.blocks)
        expect(peak.blocks).toBeLessThanOrEqual(most.blocks + 2 * (chain.legs.length - 1))
        expect(peak.sessions).toBe(most.sessions)
        const aFrame = chain.legs.length * 2 * STEPS.perFrameMs
        expect(peak.stepMs).toBeGreaterThanOrEqual(most.stepMs - 1e-9)
        const unheard = chain.legs.length * 2 * STEPS.perSessionMs
        expect(peak.stepMs).toBeLessThanOrEqual(most.stepMs + aFrame + unheard)
      }),
      { numRuns: 60 },
    )
  })

  it('of one leg is its peak, wherever it is', () => {
    const { curve } = plan
    const cost = stepCostMs(STEPS, 400)
    const expected = { blocks: curve.peakBlocks(400), stepMs: cost, sessions: 1 }
    expect(chainPeak(plan, chainOf('a/0', [legOf({ frames: 400 })]), 0)).toEqual(expected)
    expect(chainPeak(plan, chainOf('a/0', [legOf({ frames: 400 })], { pace: 0 }), 0)).toEqual(
      expected,
    )
    expect(chainPeak(planOf(), chainOf('a/0', [legOf({ frames: 400 })]), 0).stepMs).toBe(0)
  })

  it('is looked for where a late leg truly is', () => {
    const next = legOf({ index: 1, startMs: 21_000, frames: 250, open: false })
    const blocks = (behindMs: number) =>
      chainPeak(plan, chainOf('a/0', [legOf({ behindMs }), next]), 0).blocks
    // A leg that ends 10 s later has a sibling of 10 s more beside it.
    const older = plan.curve.blocksAfter(Math.floor((2_360 + 10_000) / 80) + 1)
    expect(blocks(10_000)).toBe(plan.curve.peakBlocks(250) + older)
    expect(blocks(10_000)).toBeGreaterThan(blocks(0))
  })

  it('counts a lease that is overdue beside all that follow it: nobody knows when it ends', () => {
    const over = legOf({ frames: 250 })
    const next = legOf({ index: 1, startMs: 21_000, frames: 1_000 })
    const last = legOf({ index: 2, startMs: 101_000, frames: 500, open: false })
    const chain = chainOf('a/0', [over, next, last])
    const peaks = [250, 1_000].map((frames) => plan.curve.peakBlocks(frames))
    const young = plan.curve.blocksAfter(Math.floor(2_360 / 80) + 1)
    const { blocks, sessions } = chainPeak(plan, chain, 60_000)
    expect(blocks).toBe((peaks[0] as number) + (peaks[1] as number) + young)
    expect(sessions).toBe(3)
    // On time it is gone long before the next one is old.
    expect(chainPeak(plan, chain, 0).sessions).toBe(2)
  })

  it('of audio without legs yet is one of the longest legs beside a young one', () => {
    const { curve } = plan
    const chain = chainOf('a/0', [], { restFrames: 9_000 })
    const { blocks, stepMs, sessions } = chainPeak(plan, chain, 0)
    // Both run for 3.36 s, and half as long again where they overlap: 63 frames.
    expect(blocks).toBe(curve.peakBlocks(7_500) + curve.blocksAfter(63))
    expect(stepMs).toBeCloseTo(stepCostMs(STEPS, 7_500) + stepCostMs(STEPS, 63))
    expect(sessions).toBe(2)
    expect(chainPeak(planOf(), chain, 0)).toEqual({ blocks, stepMs: 0, sessions })
  })

  it('of a short rest, or one without a pace, takes both legs for no longer than the audio', () => {
    const { curve } = plan
    const rest = (restFrames: number, pace: number) =>
      chainPeak(plan, chainOf('a/0', [], { restFrames, pace }), 0).blocks
    expect(rest(40, 1)).toBe(curve.peakBlocks(40) + curve.blocksAfter(40))
    expect(rest(9_000, 0)).toBe(curve.peakBlocks(7_500) + curve.blocksAfter(7_500))
    // At twice the speed the young one has heard twice as much.
    expect(rest(9_000, 2)).toBe(curve.peakBlocks(7_500) + curve.blocksAfter(126))
  })

  it('is nothing where nothing is left', () => {
    expect(chainPeak(plan, chainOf('a/0', []), 0)).toEqual({ blocks: 0, stepMs: 0, sessions: 0 })
  })
})
