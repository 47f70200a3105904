import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  asCheckpoint,
  isComplete,
  lanesOfCheckpoint,
  nextFrameOf,
} from '../../../../src/pipeline/checkpoint/checkpoint.js'
import type { CompletedLane, CompletedLeg } from '../../../../src/pipeline/legs/completed-leg.js'
import { checkpointDocument } from '../../../../src/storage/documents/checkpoint-document.js'
import { alignDeltas } from '../../../../src/transcript/words/align.js'

const engine = { model: 'm', version: '0.32.0', isStandin: true }
const leg = (changes: Partial<CompletedLeg>): CompletedLeg => ({
  ...{ fromFrame: 0, endFrame: 100, nextFrame: 100, cut: 'pause', samples: 128_000, deltas: 100 },
  ...{ verified: true, groups: [], attempt: 1, engine, heldMs: 8_000, lanesRunning: 1 },
  kvBlocks: { granted: 20, held: 12 },
  ...changes,
})

const deltas = fc.array(fc.constantFrom('', ' a', 'b', ' "quoted"', ' \u{1F600}'), {
  maxLength: 40,
})
const lanes = fc.array(fc.array(deltas, { maxLength: 3 }), { minLength: 1, maxLength: 3 })

function carried(said: readonly (readonly string[][])[]): CompletedLane[] {
  return said.map((legs, channel) => ({
    channel: said.length === 1 ? null : channel,
    legs: legs.map((all, at) => {
      const fromFrame = at * 100
      const groups = alignDeltas(all, { leg: at, legStartMs: fromFrame * 80, stepMs: 80 })
      const endFrame = fromFrame + 100
      return leg({ fromFrame, endFrame, nextFrame: endFrame, groups, attempt: at + 1 })
    }),
  }))
}

describe('a checkpoint', () => {
  it('gives back what was written, through JSON and its schema', () => {
    fc.assert(
      fc.property(lanes, (said) => {
        const before = carried(said)
        const document = asCheckpoint({
          ...{ attempt: 4, jobId: 'j', fence: 4, number: 7, writtenAtMs: 0, lanes: before },
          resumedFromMs: [1_000],
        })
        const read = checkpointDocument.parse(JSON.parse(JSON.stringify(document)))
        expect(lanesOfCheckpoint(read)).toEqual(before)
      }),
    )
  })

  it('keeps what is not exact for what it is: a leg, and the tail of a run', () => {
    const tail = { text: ' tail', endMs: 160, leg: 0, step: 2, isTail: true as const }
    const before = [{ channel: null, legs: [leg({ verified: false, groups: [tail] })] }]
    const document = asCheckpoint({
      ...{
        attempt: 1,
        jobId: 'j',
        fence: 1,
        number: 1,
        writtenAtMs: 0,
        lanes: before,
        resumedFromMs: [],
      },
    })
    expect(document.lanes[0]?.legs[0]?.timing).toBe('estimated')
    expect(lanesOfCheckpoint(document)).toEqual(before)
  })

  it('says where each lane goes on, in ms', () => {
    const silent = { channel: 1, legs: [] }
    const spoken = { channel: 0, legs: [leg({ nextFrame: 75, endFrame: 100, cut: 'quiet' })] }
    const document = asCheckpoint({
      ...{ attempt: 1, jobId: 'j', fence: 1, number: 1, writtenAtMs: 0, lanes: [spoken, silent] },
      resumedFromMs: [],
    })
    expect(document.lanes.map(({ safe_offset_ms: atMs }) => atMs)).toEqual([6_000, 0])
    expect([nextFrameOf(spoken), nextFrameOf(silent)]).toEqual([75, null])
    expect(document.engine).toEqual({ model: 'm', version: '0.32.0', delay_ms: 480 })
  })

  it('knows a lane that is complete by its end alone', () => {
    const lane = (cut: CompletedLeg['cut']) => ({ channel: null, legs: [leg({ cut })] })
    expect([isComplete(lane('end')), isComplete(lane('pause'))]).toEqual([true, false])
    expect(isComplete({ channel: null, legs: [] })).toBe(false)
  })
})
