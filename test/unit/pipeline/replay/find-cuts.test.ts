import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MsRange } from '../../../../src/kernel/ms-range.js'
import { STEP_SAMPLES } from '../../../../src/model/pcm.js'
import { type CutSettings, findCuts } from '../../../../src/pipeline/replay/find-cuts.js'

const settings: CutSettings = { pauseMinMs: 400, overlapMs: 2_000, skipSilenceMs: null }

/** A lane of so many frames of 80 ms. */
function cutsOf(frames: number, pausesMs: readonly MsRange[], changes: Partial<CutSettings> = {}) {
  const lane = { pausesMs, peaks: new Uint8Array(0), samples: frames * STEP_SAMPLES }
  return findCuts(lane, { ...settings, ...changes })
}

const end = (frame: number) => ({ endFrame: frame, nextFrame: frame, kind: 'end' })
const pause = (frame: number) => ({ endFrame: frame, nextFrame: frame, kind: 'pause' })

describe('where a lane may be cut', () => {
  it('in the middle of pauses that are long enough, and at its end', () => {
    const pauses: MsRange[] = [
      [1_600, 2_400],
      [3_200, 3_520],
      [4_800, 5_200],
    ]
    const { fromFrame, cuts, frames } = cutsOf(100, pauses)
    expect(cuts).toEqual([pause(25), pause(63), end(100)])
    expect({ fromFrame, frames }).toEqual({ fromFrame: 0, frames: 100 })
  })

  it('in unbroken talk too, with what both legs hear', () => {
    const { cuts } = cutsOf(500, [])
    // Four windows of 10 s: in the middle of each where nothing is quieter.
    expect(cuts.slice(0, -1)).toEqual(
      [63, 188, 313, 438].map((frame) => ({
        endFrame: frame + 25,
        nextFrame: frame,
        kind: 'quiet',
      })),
    )
  })

  it('not in talk where both legs would hear a pause: that is the place', () => {
    // Two windows of 6 s: in the middle of the second one a pause is 3 s away.
    const kinds = (overlapMs: number) =>
      cutsOf(160, [[12_000, 12_400]], { overlapMs }).cuts.map(({ kind }) => kind)
    expect(kinds(2_000)).toEqual(['quiet', 'quiet', 'pause', 'end'])
    expect(kinds(4_000)).toEqual(['quiet', 'pause', 'end'])
  })

  it('nowhere in talk so near to its end that the overlap would not fit', () => {
    // Windows of 5.02 s: the middle of the second one is 31 frames before the end.
    const overlapping = (overlapMs: number) =>
      cutsOf(126, [], { overlapMs }).cuts.map(({ kind }) => kind)
    expect(overlapping(2_000)).toEqual(['quiet', 'quiet', 'end'])
    expect(overlapping(2_560)).toEqual(['quiet', 'end'])
  })

  it.each([1, 2, 24, 50])('a lane of %i frames has its end, and nothing else', (frames) => {
    expect(cutsOf(frames, [])).toEqual({ fromFrame: 0, cuts: [end(frames)], frames })
    // One that is silent from end to end is replayed all the same.
    const silent = cutsOf(frames, [[0, frames * 80]], { skipSilenceMs: 5_000 })
    expect(silent.cuts.at(-1)).toEqual(end(frames))
    expect(silent.frames).toBe(frames)
  })

  it('counts a frame that the audio fills in part', () => {
    const lane = { pausesMs: [], peaks: new Uint8Array(0), samples: 10 * STEP_SAMPLES + 1 }
    expect(findCuts(lane, settings)).toEqual({ fromFrame: 0, cuts: [end(11)], frames: 11 })
  })
})

describe('silence that is skipped', () => {
  const skipping = { skipSilenceMs: 5_000 }

  it('in the middle ends a leg and begins the next one, a second away from speech', () => {
    const { cuts, frames } = cutsOf(450, [[8_000, 28_000]], skipping)
    expect(cuts).toEqual([{ endFrame: 113, nextFrame: 337, kind: 'skip' }, end(450)])
    expect(frames).toBe(450 - (337 - 113))
  })

  it('at the beginning and at the end is cut off, with no leg for it', () => {
    const pauses: MsRange[] = [
      [0, 16_000],
      [30_000, 40_000],
    ]
    const { fromFrame, cuts, frames } = cutsOf(500, pauses, skipping)
    // Of the first silence a second stays before speech, of the last one a second after it.
    expect(fromFrame).toBe(187)
    expect(cuts.at(-1)).toEqual(end(388))
    expect(frames).toBe(388 - 187)
    for (const { nextFrame } of cuts.slice(0, -1)) expect(nextFrame).toBeGreaterThan(187)
  })

  it('of a whole recording leaves its first second, however long it is', () => {
    const nightFrames = 10 * 3_600 * 12.5
    for (const frames of [500, nightFrames]) {
      const lane = cutsOf(frames, [[0, frames * 80]], skipping)
      expect(lane).toEqual({ fromFrame: 0, cuts: [end(13)], frames: 13 })
    }
  })

  it('shorter than the setting is replayed', () => {
    expect(cutsOf(200, [[4_000, 9_000]], skipping).frames).toBe(200)
    expect(cutsOf(200, [[4_000, 9_080]], skipping).frames).toBeLessThan(200)
  })
})

describe('any lane', () => {
  const lanes = fc
    .record({
      gaps: fc.array(fc.tuple(fc.nat(20_000), fc.nat(30_000)), { maxLength: 20 }),
      tailMs: fc.nat(20_000),
      samples: fc.integer({ min: 1, max: STEP_SAMPLES }),
      peaks: fc.uint8Array({ maxLength: 400 }),
      skipSilenceMs: fc.option(fc.integer({ min: 5_000, max: 20_000 })),
      overlapMs: fc.nat(10_000),
    })
    .map(({ gaps, tailMs, samples, peaks, skipSilenceMs, overlapMs }) => {
      let atMs = 0
      const pausesMs = gaps.map(([talkMs, pauseMs]): MsRange => {
        const fromMs = atMs + talkMs
        atMs = fromMs + pauseMs
        return [fromMs, atMs]
      })
      const lane = { pausesMs, peaks, samples: (atMs + tailMs) * 16 + samples }
      return { lane, cutSettings: { pauseMinMs: 400, overlapMs, skipSilenceMs } }
    })

  it('is gone through from its first frame to its end, whichever cuts are taken', () => {
    fc.assert(
      fc.property(lanes, ({ lane, cutSettings }) => {
        const { fromFrame, cuts, frames } = findCuts(lane, cutSettings)
        const frameCount = Math.ceil(lane.samples / STEP_SAMPLES)
        expect(cuts.filter(({ kind }) => kind === 'end')).toEqual([cuts.at(-1)])
        expect(cuts.at(-1)?.endFrame).toBeLessThanOrEqual(frameCount)
        let skipped = 0
        let before = { endFrame: fromFrame, nextFrame: fromFrame }
        for (const cut of cuts) {
          // Each leg has audio, and each cut lies after the one before, as both legs see it.
          expect(cut.endFrame).toBeGreaterThan(before.endFrame)
          expect(cut.nextFrame).toBeGreaterThan(before.nextFrame)
          if (cut.kind === 'skip') skipped += cut.nextFrame - cut.endFrame
          else expect(cut.nextFrame).toBeLessThanOrEqual(cut.endFrame)
          before = cut
        }
        const endFrame = cuts.at(-1)?.endFrame ?? 0
        expect(frames).toBe(endFrame - fromFrame - skipped)
        if (cutSettings.skipSilenceMs === null) expect(frames).toBe(frameCount)
      }),
    )
  })
})
