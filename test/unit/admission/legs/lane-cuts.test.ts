import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CutOption } from '../../../../src/admission/legs/cut-option.js'
import { LaneCuts } from '../../../../src/admission/legs/lane-cuts.js'
import type { PlannedSegment } from '../../../../src/admission/legs/planned-segment.js'
import { seededRandom } from '../../../../src/kernel/seeded-random.js'
import { randomCuts } from '../../../sim/recordings.js'

const course = new LaneCuts([
  { endFrame: 100, nextFrame: 100, kind: 'pause' },
  { endFrame: 212, nextFrame: 188, kind: 'quiet' },
  { endFrame: 300, nextFrame: 450, kind: 'skip' },
  { endFrame: 600, nextFrame: 600, kind: 'end' },
])
const segment = (endFrame: number, cut: CutOption['kind']): PlannedSegment => ({
  fromFrame: 0,
  endFrame,
  cut,
  openMs: 0,
  startMs: 1_000,
})

describe('the course of a lane', () => {
  it('goes on after a leg with the same frame, an earlier one, or behind a silence', () => {
    expect(course.nextFrame(segment(100, 'pause'))).toBe(100)
    expect(course.nextFrame(segment(212, 'quiet'))).toBe(188)
    expect(course.nextFrame(segment(300, 'skip'))).toBe(450)
    // A session that ended before its time may end anywhere.
    expect(course.nextFrame(segment(150, 'pause'))).toBe(150)
  })

  it('is carried on by the next leg when a leg ends, or where they begin to overlap', () => {
    expect(course.overFrame(segment(100, 'pause'))).toBe(100)
    expect(course.overFrame(segment(212, 'quiet'))).toBe(188)
    expect(course.overFrame(segment(300, 'skip'))).toBe(300)
  })

  it.each([
    [0, 600 - 150],
    [299, 301 - 150],
    [300, 300],
    [450, 150],
    [599, 1],
    [600, 0],
    [9_999, 0],
  ])('from frame %s on has %s frames left', (fromFrame, left) => {
    expect(course.framesLeft(fromFrame)).toBe(left)
  })

  it('has left what lies in no silence that is skipped', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, share) => {
        const shape = { durationS: 300, pauseEveryS: 8, skipShare: 0.4 }
        const cuts = randomCuts(seededRandom(seed), shape)
        const last = cuts.at(-1)?.endFrame ?? 0
        const skips = cuts.filter(({ kind }) => kind === 'skip')
        const isSkipped = (frame: number) =>
          skips.some(({ endFrame, nextFrame }) => frame >= endFrame && frame < nextFrame)
        let fromFrame = Math.floor(share * last)
        while (isSkipped(fromFrame)) fromFrame += 1
        const frames = Array.from({ length: last - fromFrame }, (_, at) => fromFrame + at)
        const audible = frames.filter((frame) => !isSkipped(frame))
        expect(new LaneCuts(cuts).framesLeft(fromFrame)).toBe(audible.length)
      }),
      { numRuns: 40 },
    )
  })

  it('that has no cuts is over', () => {
    expect(new LaneCuts([]).framesLeft(0)).toBe(0)
  })
})
