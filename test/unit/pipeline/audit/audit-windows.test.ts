import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MsRange } from '../../../../src/kernel/ms-range.js'
import { STEP_MS, STEP_SAMPLES } from '../../../../src/model/pcm.js'
import { auditWindows } from '../../../../src/pipeline/audit/audit-windows.js'
import { findCuts } from '../../../../src/pipeline/replay/find-cuts.js'

const settings = { pauseMinMs: 400, overlapMs: 2_000, skipSilenceMs: null }

/** A lane of so many seconds with its pauses. */
function laneOf(seconds: number, pausesMs: readonly MsRange[]) {
  const samples = Math.round((seconds * 1000) / STEP_MS) * STEP_SAMPLES
  return findCuts({ pausesMs, peaks: new Uint8Array(0), samples }, settings)
}
const hole = (startMs: number, endMs: number) => ({ startMs, endMs, speechMs: endMs - startMs })
/** A pause of 400 ms every 4 s, its middle at a whole frame. */
const pauses = (seconds: number) =>
  Array.from({ length: Math.ceil(seconds / 4) - 1 }, (_, index): MsRange => {
    const middleMs = (index + 1) * 4_000
    return [middleMs - 200, middleMs + 200]
  })

describe('what is carried once more for a hole', () => {
  it('goes from the last pause 2 s before it to the first one 2 s after it', () => {
    const windows = auditWindows(laneOf(60, pauses(60)), [hole(21_000, 27_000)])
    expect(windows).toMatchObject([
      {
        fromFrame: 16_000 / STEP_MS,
        frames: 16_000 / STEP_MS,
        holesMs: [[21_000, 27_000]],
        speechMs: 6_000,
      },
    ])
    expect(windows[0]?.cuts.map(({ endFrame, kind }) => [endFrame * STEP_MS, kind])).toEqual([
      [20_000, 'pause'],
      [24_000, 'pause'],
      [28_000, 'pause'],
      [32_000, 'end'],
    ])
  })

  it('goes to the edges of the recording where no pause is between', () => {
    const lane = laneOf(60, pauses(60))
    expect(auditWindows(lane, [hole(3_000, 6_500)])).toMatchObject([{ fromFrame: 0, frames: 150 }])
    expect(auditWindows(lane, [hole(50_000, 57_000)])).toMatchObject([
      { fromFrame: 600, frames: 150 },
    ])
  })

  it('begins and ends at quiet points in unbroken talk', () => {
    const lane = laneOf(60, [])
    const [window] = auditWindows(lane, [hole(30_000, 34_000)])
    expect(window?.fromFrame).toBe(313) // of 10 s each the middle one
    expect(window?.cuts.at(-1)).toEqual({ endFrame: 463, nextFrame: 463, kind: 'end' })
  })

  it('takes a pause that is further away rather than a quiet point', () => {
    const lane = laneOf(60, [[14_800, 15_200]])
    const [window] = auditWindows(lane, [hole(30_000, 34_000)])
    expect(window?.fromFrame).toBe(15_000 / STEP_MS + 0.5)
  })

  it('is one stretch for holes whose surroundings overlap', () => {
    const holes = [hole(21_000, 24_500), hole(29_000, 33_000), hole(52_000, 56_000)]
    expect(auditWindows(laneOf(120, pauses(120)), holes)).toMatchObject([
      {
        fromFrame: 200,
        frames: 250,
        holesMs: [
          [21_000, 24_500],
          [29_000, 33_000],
        ],
      },
      { holesMs: [[52_000, 56_000]] },
    ])
  })

  it('is several stretches where one would be long', () => {
    const holes = Array.from({ length: 200 }, (_, index) =>
      hole(index * 6_000, index * 6_000 + 4_000),
    )
    const windows = auditWindows(laneOf(1_200, pauses(1_200)), holes)
    expect(windows.length).toBe(3)
    expect(Math.max(...windows.map(({ frames }) => frames))).toBeLessThanOrEqual(7_500)
  })

  it('begins no earlier than the lane did, and leaves a skipped silence out', () => {
    const pausesMs: MsRange[] = [
      [0, 20_000],
      [30_000, 50_000],
    ]
    const samples = 1_000 * STEP_SAMPLES
    const lane = findCuts(
      { pausesMs, peaks: new Uint8Array(0), samples },
      { ...settings, skipSilenceMs: 5_000 },
    )
    const [window] = auditWindows(lane, [hole(22_000, 60_000)])
    expect(window?.fromFrame).toBe(lane.fromFrame)
    expect(window?.cuts.some(({ kind }) => kind === 'skip')).toBe(true)
    expect(window?.frames).toBeLessThan(60_000 / STEP_MS)
  })

  it('holds every hole with its surroundings, whatever the pauses', () => {
    const lanes = fc.record({
      seconds: fc.integer({ min: 5, max: 2_000 }),
      pausesAt: fc.array(fc.integer({ min: 0, max: 2_000_000 }), { maxLength: 60 }),
      holesAt: fc.array(fc.tuple(fc.nat(2_000_000), fc.integer({ min: 1_000, max: 100_000 })), {
        maxLength: 12,
      }),
    })
    fc.assert(
      fc.property(lanes, ({ seconds, pausesAt, holesAt }) => {
        const durationMs = seconds * 1000
        const sorted = [...new Set(pausesAt.map((at) => at - (at % 1_000)))]
          .filter((at) => at + 600 < durationMs)
          .sort((one, other) => one - other)
        const lane = laneOf(
          seconds,
          sorted.map((at) => [at, at + 600]),
        )
        let reachedMs = 0
        const holes = [...holesAt]
          .sort(([one], [other]) => one - other)
          .flatMap(([atMs, lengthMs]) => {
            const startMs = Math.max(atMs, reachedMs + 500)
            const endMs = Math.min(startMs + lengthMs, durationMs)
            if (endMs - startMs < 1_000) return []
            reachedMs = endMs
            return [hole(startMs, endMs)]
          })
        const windows = auditWindows(lane, holes)
        expect(windows.flatMap(({ holesMs }) => holesMs)).toEqual(
          holes.map(({ startMs, endMs }) => [startMs, endMs]),
        )
        const endFrame = lane.cuts.at(-1)?.endFrame ?? 0
        for (const { fromFrame, cuts, frames, holesMs } of windows) {
          const until = cuts.at(-1)
          expect(until?.kind).toBe('end')
          expect(frames).toBe((until?.endFrame ?? 0) - fromFrame)
          const [first, last] = [holesMs[0]?.[0] ?? 0, holesMs.at(-1)?.[1] ?? 0]
          expect(fromFrame === 0 || fromFrame * STEP_MS <= first - 2_000).toBe(true)
          const untilMs = (until?.endFrame ?? 0) * STEP_MS
          expect(until?.endFrame === endFrame || untilMs >= last + 2_000).toBe(true)
        }
      }),
    )
  })
})
