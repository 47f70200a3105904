import { describe, expect, it } from 'vitest'
import type { CompletedLane, CompletedLeg } from '../../../../src/pipeline/legs/completed-leg.js'
import { LaneProgress, type RunningLegRecord } from '../../../../src/pipeline/legs/lane-progress.js'
import { LegRecord } from '../../../../src/pipeline/legs/leg-record.js'

function leg(fromFrame: number, endFrame: number): CompletedLeg {
  return {
    ...{ fromFrame, endFrame, nextFrame: endFrame, cut: 'pause', samples: 1_280, deltas: 10 },
    ...{ verified: true, groups: [], attempt: 1, heldMs: 1, lanesRunning: 1 },
    engine: { model: 'm', version: null, isStandin: true },
    kvBlocks: { granted: 1, held: 1 },
  }
}

/** A leg that runs, was answered to a frame, and is safe up to another one, if to any. */
function running(fromFrame: number, answered: number, safe: number | null): RunningLegRecord {
  const record = new LegRecord(fromFrame, [])
  const deltas = answered - fromFrame
  record.answered({ deltas, answeredMs: deltas * 80, isExact: true, writing: () => null })
  return { record, part: () => (safe === null ? null : leg(fromFrame, safe)) }
}

const spans = ({ legs }: CompletedLane) =>
  legs.map(({ fromFrame, endFrame }) => [fromFrame, endFrame])

/** A lane that begins after a silence of 50 frames. */
const begun = (...legs: CompletedLeg[]) => new LaneProgress({ channel: 1, legs }, 50)

describe('how far a lane has come', () => {
  it('is nowhere before anything was answered, and what it found after a restart', () => {
    expect(begun()).toMatchObject({ count: 0, answeredFrame: 0, safe: { channel: 1, legs: [] } })
    const resumed = begun(leg(50, 200))
    expect(resumed).toMatchObject({ count: 1, answeredFrame: 200 })
    expect(spans(resumed.safe)).toEqual([[50, 200]])
  })

  it('is what is complete, and the leg that runs up to its last safe cut', () => {
    const lane = begun()
    lane.begin(running(50, 180, 150))
    expect(spans(lane.safe)).toEqual([[50, 150]])
    expect(spans(lane.completed)).toEqual([])
    expect(lane.answeredFrame).toBe(180)
  })

  it('is not what the leg after a change-over hears, as long as the one before is not whole', () => {
    const lane = begun()
    const first = running(50, 210, 150)
    lane.begin(first)
    lane.begin(running(200, 260, 250))
    expect(spans(lane.safe)).toEqual([[50, 150]])
    expect(lane.answeredFrame).toBe(260)
    lane.add(leg(50, 200))
    expect(spans(lane.safe)).toEqual([
      [50, 200],
      [200, 250],
    ])
  })

  it('is not what came after a leg that failed', () => {
    const lane = begun(leg(50, 100))
    const first = running(100, 210, 150)
    lane.begin(first)
    lane.begin(running(200, 260, 250))
    lane.lost(first)
    expect(spans(lane.safe)).toEqual([[50, 100]])
    // It is carried again: what had begun behind it is lost with it.
    lane.begin(running(100, 120, null))
    expect(lane.answeredFrame).toBe(120)
    expect(spans(lane.safe)).toEqual([[50, 100]])
  })

  it('keeps the part of a leg that failed, and goes on behind it', () => {
    const lane = begun()
    const first = running(50, 210, 150)
    lane.begin(first)
    lane.lost(first)
    lane.add(leg(50, 150))
    lane.begin(running(150, 300, 280))
    expect(spans(lane.safe)).toEqual([
      [50, 150],
      [150, 280],
    ])
  })

  it('is told as it was, whoever changes what they were told', () => {
    const lane = begun(leg(50, 100))
    lane.safe.legs.pop()
    lane.completed.legs.pop()
    expect(lane.count).toBe(1)
    expect(spans(lane.completed)).toEqual([[50, 100]])
  })
})
