import { describe, expect, it } from 'vitest'
import { GrowingCuts } from '../../../../src/admission/legs/growing-cuts.js'
import { LaneCuts } from '../../../../src/admission/legs/lane-cuts.js'

const growing = () => {
  return new GrowingCuts({ quietEveryFrames: 100, overlapFrames: 25, aheadFrames: 400 })
}
const ends = ({ cuts }: GrowingCuts) => cuts.map(({ endFrame }) => endFrame)

describe('the cuts of a lane whose end is not known', () => {
  it('lie ahead of the audio at fixed frames, with an end that moves away', () => {
    const cuts = growing()
    expect(cuts.cuts).toEqual([
      { endFrame: 100, nextFrame: 75, kind: 'quiet' },
      { endFrame: 200, nextFrame: 175, kind: 'quiet' },
      { endFrame: 300, nextFrame: 275, kind: 'quiet' },
      { endFrame: 400, nextFrame: 400, kind: 'end' },
    ])
    const before = cuts.cuts
    cuts.heard(99)
    expect(cuts.cuts).toBe(before)
    cuts.heard(150)
    expect(ends(cuts)).toEqual([100, 200, 300, 400, 500])
    cuts.heard(120)
    expect(ends(cuts)).toEqual([100, 200, 300, 400, 500])
  })

  it('take pauses in between as they are heard, and the better one of two at a frame', () => {
    const cuts = growing()
    cuts.add({ endFrame: 250, nextFrame: 240, kind: 'quiet' })
    cuts.add({ endFrame: 120, nextFrame: 120, kind: 'pause' })
    cuts.add({ endFrame: 200, nextFrame: 200, kind: 'pause' })
    expect(ends(cuts)).toEqual([100, 120, 200, 250, 300, 400])
    expect(cuts.cuts[2]).toEqual({ endFrame: 200, nextFrame: 200, kind: 'pause' })
  })

  it('end where the audio does, for good', () => {
    const cuts = growing()
    cuts.heard(230)
    expect(cuts.completed.aborted).toBe(false)
    cuts.complete(230)
    expect(cuts.completed.aborted).toBe(true)
    expect(cuts.cuts.at(-1)).toEqual({ endFrame: 230, nextFrame: 230, kind: 'end' })
    expect(ends(cuts)).toEqual([100, 200, 230])
    cuts.heard(900)
    cuts.add({ endFrame: 150, nextFrame: 150, kind: 'pause' })
    cuts.complete(900)
    expect(ends(cuts)).toEqual([100, 200, 230])
  })

  it('are forgotten behind, so that a day of audio takes no more than its last minutes', () => {
    const cuts = growing()
    for (let frame = 0; frame <= 1_000_000; frame += 50) {
      cuts.heard(frame)
      cuts.forgetBefore(frame)
    }
    expect(cuts.cuts.length).toBeLessThanOrEqual(5)
    expect(ends(cuts)[0]).toBeGreaterThan(1_000_000)
  })

  it('are the last of a lane only once it is complete', () => {
    const cuts = growing()
    const lane = new LaneCuts(cuts)
    const leg = (endFrame: number, cut: 'quiet' | 'end') => {
      return { fromFrame: 0, endFrame, cut, openMs: 0, startMs: 0 }
    }
    expect([lane.isGrowing, lane.isLast(leg(400, 'end'))]).toEqual([true, false])
    cuts.complete(180)
    expect([lane.isGrowing, lane.isLast(leg(180, 'end'))]).toEqual([false, true])
    // One that was on its way and is longer than the audio; and one before the end.
    expect(lane.isLast(leg(200, 'quiet'))).toBe(true)
    expect(lane.isLast(leg(100, 'quiet'))).toBe(false)
    expect(lane.framesLeft(75)).toBe(105)
    expect(lane.framesLeft(180)).toBe(0)
  })
})
