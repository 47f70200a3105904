import type { CutOption } from '../../admission/legs/cut-option.js'
import { LaneCuts } from '../../admission/legs/lane-cuts.js'
import type { MsRange } from '../../kernel/ms-range.js'
import { STEP_MS } from '../../model/pcm.js'
import type { LaneHole } from '../../transcript/coverage.js'

/** The part of a lane that can be replayed again. */
export interface AuditableLane {
  /** The frame at which the replay of the lane began: nothing before it is audited. */
  readonly fromFrame: number
  /** All its cuts in order; the last one is the end. */
  readonly cuts: readonly CutOption[]
}

/** A part of a lane for sessions of its own: holes and what is said around them. */
export interface AuditWindow {
  readonly fromFrame: number
  /** In order; the last one, at the end of the window, is of the kind `end`. */
  readonly cuts: readonly CutOption[]
  /** Frames that are sent. */
  readonly frames: number
  /** Holes that the window is for, in ms of the recording, by time. */
  readonly holesMs: readonly MsRange[]
  /** Speech without text in the window, in ms. */
  readonly speechMs: number
}

/** At least this much around a hole is sent, in ms: the model needs context. */
const SURROUNDINGS_MS = 2_000
/** A window ends at a pause within this distance, in ms, rather than at a nearer quiet point. */
const PAUSE_REACH_MS = 15_000
/** Windows that overlap are joined into one session up to this length, in frames: 10 min. */
const JOINED_MAX_FRAMES = 7_500

/**
 * Windows that are replayed once more for the holes of a lane: each from the last pause at least
 * 2 s before a hole to the first one at least 2 s after it, holes close together in one. Pure.
 * @param holes in order
 * @returns in order; they may overlap where joining them would make them long
 */
export function auditWindows(lane: AuditableLane, holes: readonly LaneHole[]): AuditWindow[] {
  const windows: { fromFrame: number; endFrame: number; holes: LaneHole[] }[] = []
  for (const hole of holes) {
    const fromFrame = startBefore(lane, hole.startMs - SURROUNDINGS_MS)
    const endFrame = endAfter(lane, hole.endMs + SURROUNDINGS_MS)
    const last = windows.at(-1)
    const isNear = last !== undefined && fromFrame < last.endFrame
    if (isNear && endFrame - last.fromFrame <= JOINED_MAX_FRAMES) {
      last.endFrame = Math.max(last.endFrame, endFrame)
      last.holes.push(hole)
    } else windows.push({ fromFrame, endFrame, holes: [hole] })
  }
  return windows.map(({ fromFrame, endFrame, holes: inside }) => {
    const within = lane.cuts.filter((cut) => cut.nextFrame > fromFrame && cut.endFrame < endFrame)
    const cuts = [...within, { endFrame, nextFrame: endFrame, kind: 'end' as const }]
    return {
      ...{ fromFrame, cuts, frames: new LaneCuts(cuts).framesLeft(fromFrame) },
      holesMs: inside.map(({ startMs, endMs }): MsRange => [startMs, endMs]),
      speechMs: inside.reduce((sum, hole) => sum + hole.speechMs, 0),
    }
  })
}

/** The frame at which a window begins: at the last pause before a time, or at another cut. */
function startBefore({ fromFrame, cuts }: AuditableLane, beforeMs: number): number {
  const before = cuts.filter(({ nextFrame, kind }) => {
    return kind !== 'end' && nextFrame > fromFrame && nextFrame * STEP_MS <= beforeMs
  })
  const pause = before.filter(({ kind }) => kind !== 'quiet').at(-1)
  const nearest = before.at(-1)
  const isClose = pause && beforeMs - pause.nextFrame * STEP_MS <= PAUSE_REACH_MS
  return (isClose ? pause : nearest)?.nextFrame ?? fromFrame
}

/** The frame at which a window ends: at the first pause after a time, or at another cut. */
function endAfter({ fromFrame, cuts }: AuditableLane, afterMs: number): number {
  const after = cuts.filter(({ endFrame }) => endFrame * STEP_MS >= afterMs)
  const pause = after.find(({ kind }) => kind !== 'quiet')
  const isClose = pause && pause.endFrame * STEP_MS - afterMs <= PAUSE_REACH_MS
  return (isClose ? pause : after[0])?.endFrame ?? cuts.at(-1)?.endFrame ?? fromFrame
}
