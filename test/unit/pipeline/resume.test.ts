import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CutOption } from '../../../src/admission/legs/cut-option.js'
import { STEP_MS, STEP_SAMPLES } from '../../../src/model/pcm.js'
import {
  asCheckpoint,
  isComplete,
  lanesOfCheckpoint,
  nextFrameOf,
} from '../../../src/pipeline/checkpoint/checkpoint.js'
import type { CompletedLane, CompletedLeg } from '../../../src/pipeline/legs/completed-leg.js'
import { LaneProgress } from '../../../src/pipeline/legs/lane-progress.js'
import { LegRecord } from '../../../src/pipeline/legs/leg-record.js'
import { transcriptLane } from '../../../src/pipeline/legs/transcript-lane.js'
import type { AnalysisDocument } from '../../../src/storage/documents/analysis-document.js'
import { checkpointDocument } from '../../../src/storage/documents/checkpoint-document.js'
import { assembleTranscript } from '../../../src/transcript/assemble.js'
import { GroupAligner } from '../../../src/transcript/words/align.js'
import { LIMITS } from '../transcript/transcript-arbitrary.js'

/** Both legs of a cut in talk hear 2 s. */
const OVERLAP_FRAMES = 25
/** Deltas that an engine gives after the last audio. */
const TAIL_DELTAS = 10

interface Recording {
  frames: number
  /** What is said on a frame; each word is another one. */
  said: ReadonlyMap<number, string>
  cuts: readonly CutOption[]
}

/** A worker that leads every leg over so many cuts, and is killed after so many deltas. */
interface Worker {
  cutsPerLeg: number
  deltas: number
}

const recording: fc.Arbitrary<Recording> = fc
  .record({
    gaps: fc.array(fc.integer({ min: 2, max: 30 }), { minLength: 20, maxLength: 80 }),
    places: fc.array(
      fc.record({
        afterFrames: fc.integer({ min: 40, max: 200 }),
        kind: fc.constantFrom('pause' as const, 'quiet' as const),
      }),
      { maxLength: 12 },
    ),
  })
  .map(({ gaps, places }) => {
    const said = new Map<number, string>()
    let frame = 0
    for (const [at, gap] of gaps.entries()) {
      frame += gap
      said.set(frame, ` word${at}`)
    }
    const frames = frame + 20
    const cuts: CutOption[] = []
    let nextFrame = 0
    for (const { afterFrames, kind } of places) {
      nextFrame += afterFrames
      const endFrame = kind === 'quiet' ? nextFrame + OVERLAP_FRAMES : nextFrame
      if (endFrame < frames - 10) cuts.push({ endFrame, nextFrame, kind })
    }
    cuts.push({ endFrame: frames, nextFrame: frames, kind: 'end' })
    return { frames, said, cuts }
  })

const workers: fc.Arbitrary<Worker[]> = fc.array(
  fc.record({
    cutsPerLeg: fc.integer({ min: 1, max: 4 }),
    deltas: fc.integer({ min: 1, max: 600 }),
  }),
  { maxLength: 5 },
)

function legOf(fromFrame: number, cut: CutOption, heard: Pick<CompletedLeg, 'deltas' | 'groups'>) {
  const { deltas, groups } = heard
  const { endFrame, nextFrame, kind } = cut
  const leg: CompletedLeg = {
    ...{ fromFrame, endFrame, nextFrame, cut: kind, deltas, groups, verified: true, attempt: 1 },
    ...{ samples: (endFrame - fromFrame) * STEP_SAMPLES, heldMs: 1, lanesRunning: 1 },
    engine: { model: 'm', version: null, isStandin: true },
    kvBlocks: { granted: 1, held: 1 },
  }
  return leg
}

/** Goes on from where the lane is, until it is complete or the worker is killed. */
function work(lane: LaneProgress, { said, cuts }: Recording, worker: Worker): void {
  let deltasLeft = worker.deltas
  while (!isComplete(lane.completed)) {
    const fromFrame = nextFrameOf(lane.completed) ?? 0
    const ahead = cuts.filter(({ nextFrame }) => nextFrame > fromFrame)
    const cut = ahead[Math.min(worker.cutsPerLeg, ahead.length) - 1] as CutOption
    const record = new LegRecord(fromFrame, cuts)
    const part = () => {
      const safe = record.part()
      return safe && legOf(fromFrame, safe.cut, safe)
    }
    lane.begin({ record, part })
    const legClock = { leg: lane.count, legStartMs: fromFrame * STEP_MS, stepMs: STEP_MS }
    const aligner = new GroupAligner(legClock)
    const groups = []
    const deltas = cut.endFrame - fromFrame + TAIL_DELTAS
    for (let step = 0; step < deltas; step += 1) {
      const frame = fromFrame + step
      const group = aligner.push(frame < cut.endFrame ? (said.get(frame) ?? '') : '')
      if (group) {
        groups.push(group)
        record.wrote(group)
      }
      const answeredMs = Math.min(cut.endFrame - fromFrame, step + 1) * STEP_MS
      const writing = () => aligner.writing()
      record.answered({ deltas: step + 1, answeredMs, isExact: true, writing })
      deltasLeft -= 1
      if (deltasLeft === 0) return
    }
    lane.add(legOf(fromFrame, cut, { deltas, groups }))
  }
}

/** What the next worker finds. */
function throughStorage(lane: CompletedLane): CompletedLane {
  const facts = { jobId: 'j', attempt: 1, fence: 1, number: 1, writtenAtMs: 0, resumedFromMs: [] }
  const written = JSON.stringify(asCheckpoint({ ...facts, lanes: [lane] }))
  const [read] = lanesOfCheckpoint(checkpointDocument.parse(JSON.parse(written)))
  return read as CompletedLane
}

function textOf({ frames }: Recording, lane: CompletedLane): string {
  const analysis = { samples: frames * STEP_SAMPLES, lanes: [] } as unknown as AnalysisDocument
  const lanes = [transcriptLane(analysis, lane, 0)]
  const durationMs = frames * STEP_MS
  return assembleTranscript({ lanes, durationMs, stepMs: STEP_MS, subtitles: LIMITS }).text
}

describe('a lane whose workers are killed, each after any delta', () => {
  it('has every word once, in order, and never goes back behind what was safe', () => {
    fc.assert(
      fc.property(recording, workers, (made, killed) => {
        let lane: CompletedLane = { channel: null, legs: [] }
        for (const worker of killed) {
          const progress = new LaneProgress(lane, 0)
          work(progress, made, worker)
          const safe = throughStorage(progress.safe)
          expect(nextFrameOf(safe) ?? 0).toBeGreaterThanOrEqual(nextFrameOf(lane) ?? 0)
          lane = safe
        }
        const last = new LaneProgress(lane, 0)
        work(last, made, { cutsPerLeg: 3, deltas: Number.POSITIVE_INFINITY })
        expect(textOf(made, last.completed)).toBe([...made.said.values()].join('').trim())
      }),
      { numRuns: 300 },
    )
  })
})
