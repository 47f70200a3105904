import type { CutOption } from '../../admission/legs/cut-option.js'
import { LaneCuts } from '../../admission/legs/lane-cuts.js'
import type { MsRange } from '../../kernel/ms-range.js'
import { STEP_MS } from '../../model/pcm.js'
import type { LaneHole } from '../../transcript/coverage.js'

/** What of a lane a second replay needs. */
export interface AuditableLane {
  /** Where its replay began. */
  readonly fromFrame: number
  /** All its cuts in order; the last one is the end. */
  readonly cuts: readonly CutOption[]
}

/** A part of a lane for a session of its own: holes and what is said around them. */
export interface AuditWindow {
  readonly fromFrame: number
  /** In order, ending the window with one of the kind `end`. */
  readonly cuts: readonly CutOption[]
  /** Frames that are sent. */
  readonly frames: number
  /** In order. */
  readonly holesMs: readonly MsRange[]
  /** Speech without text in it. */
  readonly speechMs: number
}

/** Least audio replayed before and after a hole: the model needs context. */
const SURROUNDINGS_MS = 2_000
/** A pause so much further away is better than a quiet point in talk. */
const PAUSE_REACH_MS = 15_000
/** Windows that overlap are one, up to this length: then it is one session instead of several. */
const JOINED_MAX_FRAMES = 7_500

/**
 * Windows that are replayed again for the holes of a lane: each from the last pause at least
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

/** The place to begin at: the last pause before a time, or what else there is before it. */
function startBefore({ fromFrame, cuts }: AuditableLane, beforeMs: number): number {
  const before = cuts.filter(({ nextFrame, kind }) => {
    return kind !== 'end' && nextFrame > fromFrame && nextFrame * STEP_MS <= beforeMs
  })
  const pause = before.filter(({ kind }) => kind !== 'quiet').at(-1)
  const nearest = before.at(-1)
  const isClose = pause && beforeMs - pause.nextFrame * STEP_MS <= PAUSE_REACH_MS
  return (isClose ? pause : nearest)?.nextFrame ?? fromFrame
}

/** The place to end at: the first pause after a time, or what else there is after it. */
function endAfter({ fromFrame, cuts }: AuditableLane, afterMs: number): number {
  const after = cuts.filter(({ endFrame }) => endFrame * STEP_MS >= afterMs)
  const pause = after.find(({ kind }) => kind !== 'quiet')
  const isClose = pause && pause.endFrame * STEP_MS - afterMs <= PAUSE_REACH_MS
  return (isClose ? pause : after[0])?.endFrame ?? cuts.at(-1)?.endFrame ?? fromFrame
}
