import { isoTime } from '../../kernel/clock.js'
import { STEP_MS } from '../../model/pcm.js'
import { MODEL_DELAY_MS } from '../../model/step-law.js'
import type { CheckpointDocument } from '../../storage/documents/checkpoint-document.js'
import type { WordGroup } from '../../transcript/words/align.js'
import type { CompletedLane, CompletedLeg } from '../legs/completed-leg.js'

type LaneDocument = CheckpointDocument['lanes'][number]
type LegDocument = LaneDocument['legs'][number]
type GroupDocument = LaneDocument['groups'][number]

/** The attempt that a checkpoint belongs to, and where its lanes began. */
export interface CheckpointFacts {
  jobId: string
  fence: number
  /** Number of the attempt as people see it: 1, 2, 3. */
  attempt: number
  /** 1-based, of this attempt. */
  number: number
  writtenAtMs: number
  lanes: readonly CompletedLane[]
  /** See `CheckpointDocument`. */
  resumedFromMs: readonly number[]
}

/** The checkpoint document for the legs of all lanes. Pure. */
export function asCheckpoint(facts: CheckpointFacts): CheckpointDocument {
  const { lanes } = facts
  const engine = lanes.flatMap(({ legs }) => legs)[0]?.engine
  return {
    schema: 'nightscribe.checkpoint/1',
    job_id: facts.jobId,
    fence: facts.fence,
    attempt: facts.attempt,
    number: facts.number,
    written_at: isoTime(facts.writtenAtMs),
    lanes: lanes.map(laneDocument),
    engine: {
      model: engine?.model ?? '',
      version: engine?.version ?? null,
      delay_ms: MODEL_DELAY_MS,
    },
    resumed_from_ms: [...facts.resumedFromMs],
  }
}

/** The legs that a checkpoint holds. Pure; the inverse of `asCheckpoint`. */
export function lanesOfCheckpoint({ lanes }: CheckpointDocument): CompletedLane[] {
  return lanes.map(({ channel, legs, groups }) => {
    const groupsOf = (index: number) => groups.filter((group) => group.leg === index)
    return {
      channel,
      legs: legs.map((leg) => completedLeg(leg, groupsOf(leg.index).map(wordGroup))),
    }
  })
}

/** The frame at which a lane with these legs continues; null where it has no leg. */
export function nextFrameOf({ legs }: CompletedLane): number | null {
  return legs.at(-1)?.nextFrame ?? null
}

/** Whether the text of a lane is there to its end. */
export function isComplete({ legs }: CompletedLane): boolean {
  return legs.at(-1)?.cut === 'end'
}

function laneDocument(lane: CompletedLane): LaneDocument {
  return {
    channel: lane.channel,
    safe_offset_ms: (nextFrameOf(lane) ?? 0) * STEP_MS,
    legs: lane.legs.map((leg, index) => legDocument(leg, index, lane.channel)),
    groups: lane.legs.flatMap(({ groups }, index) => {
      return groups.map((group) => groupDocument(group, index))
    }),
  }
}

function legDocument(leg: CompletedLeg, index: number, channel: number | null): LegDocument {
  const { engine } = leg
  return {
    index,
    channel,
    start: (leg.fromFrame * STEP_MS) / 1000,
    end: (leg.endFrame * STEP_MS) / 1000,
    cut: leg.cut,
    deltas: leg.deltas,
    timing: leg.verified ? 'token-step' : 'estimated',
    attempt: leg.attempt,
    from_frame: leg.fromFrame,
    end_frame: leg.endFrame,
    next_frame: leg.nextFrame,
    samples: leg.samples,
    engine: { model: engine.model, version: engine.version, is_standin: engine.isStandin },
    kv_blocks: { ...leg.kvBlocks },
    held_ms: Math.round(leg.heldMs),
    lanes_running: leg.lanesRunning,
  }
}

function groupDocument(group: WordGroup, leg: number): GroupDocument {
  const { text, endMs, step, pieces = null, isTail = false } = group
  const places = pieces?.map(([pieceStep, offset]): [number, number] => [pieceStep, offset]) ?? null
  return { text, end_ms: endMs, leg, step, pieces: places, is_tail: isTail }
}

function completedLeg(leg: LegDocument, groups: WordGroup[]): CompletedLeg {
  const { engine } = leg
  return {
    fromFrame: leg.from_frame,
    endFrame: leg.end_frame,
    nextFrame: leg.next_frame,
    cut: leg.cut,
    samples: leg.samples,
    deltas: leg.deltas,
    verified: leg.timing === 'token-step',
    groups,
    attempt: leg.attempt,
    engine: { model: engine.model, version: engine.version, isStandin: engine.is_standin },
    kvBlocks: leg.kv_blocks,
    heldMs: leg.held_ms,
    lanesRunning: leg.lanes_running,
  }
}

function wordGroup({ text, end_ms: endMs, leg, step, pieces, is_tail }: GroupDocument): WordGroup {
  return {
    ...{ text, endMs, leg, step },
    ...(pieces === null ? {} : { pieces }),
    ...(is_tail ? { isTail: true as const } : {}),
  }
}
