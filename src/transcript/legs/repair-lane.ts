import type { MsRange } from '../../kernel/ms-range.js'
import type { WordGroup } from '../words/align.js'
import { unitsOf } from './heard-units.js'
import { TWIN_MS } from './leg-boundary.js'
import {
  endsAt,
  groupsOf,
  joinPieces,
  type LegPiece,
  legsOfPieces,
  piecesOf,
  startsAt,
} from './leg-pieces.js'
import { cutTextAt, type LaneLegs, type LegStretch, mergeLegs } from './merge-legs.js'

/** A leg as far as repairing looks at it. */
export interface RepairableLeg extends LegStretch {
  readonly cut: 'pause' | 'quiet' | 'end'
  /** Received, empty ones included. */
  readonly deltas: number
}

/** A stretch of a lane that was carried once more, for the holes in it. */
export interface LaneRerun<Leg extends RepairableLeg> extends LaneLegs<Leg> {
  /** In order; each with surroundings inside the legs. Their indexes are the rerun's own. */
  readonly holesMs: readonly MsRange[]
}

/** A lane as it is read in the end. */
export interface RepairedLane<Leg extends RepairableLeg> extends LaneLegs<Leg> {
  /**
   * The legs as they were sent, each under the same index; a session in two parts is there
   * twice.
   */
  readonly sentLegs: readonly Leg[]
  /** Holes that something was put into, in order. */
  readonly patchedMs: readonly MsRange[]
}

/** One hole, and what was heard there the second time. */
interface Patch<Leg> {
  readonly holeMs: MsRange
  readonly again: readonly LegPiece<Leg>[]
}

/**
 * Merges the legs of a lane, and puts what reruns heard into its holes. Pure.
 *
 * A rerun with text inside a hole replaces what lies there, and its surroundings are joined to the
 * old text by the rule of overlapping legs (`legBoundary`): what both heard is there once, what is
 * further away is the old text unchanged. The old leg then ends at the one boundary and goes on at
 * the other, as two legs that share its deltas. A rerun that is blank in a hole changes nothing
 * there.
 *
 * @param lane legs as they were sent; `speechMs` tells cuts in pauses from others
 * @param stepMs audio per delta
 */
export function repairLane<Leg extends RepairableLeg>(
  lane: LaneLegs<Leg> & { speechMs: readonly MsRange[] },
  reruns: readonly LaneRerun<Leg>[],
  stepMs: number,
): RepairedLane<Leg> {
  const merged = mergeLegs(lane, stepMs)
  const patches = patchesOf(reruns, stepMs).filter((patch) => hasTextIn(patch, stepMs))
  if (patches.length === 0) return { ...merged, sentLegs: lane.legs, patchedMs: [] }
  let pieces = piecesOf(lane, merged)
  for (const patch of patches) pieces = patched(pieces, patch, stepMs)
  const cutAt = (atMs: number) => {
    const isSpeech = lane.speechMs.some(([from, to]) => from < atMs && atMs < to)
    return isSpeech ? 'quiet' : 'pause'
  }
  const patchedMs = patches.map(({ holeMs }) => holeMs)
  return { ...legsOfPieces(pieces, { stepMs, cutAt }), patchedMs }
}

/** All patches in order; where one session heard several holes each has its own part of it. */
function patchesOf<Leg extends RepairableLeg>(
  reruns: readonly LaneRerun<Leg>[],
  stepMs: number,
): Patch<Leg>[] {
  const patches = reruns.flatMap((rerun) => {
    const again = piecesOf(rerun, mergeLegs(rerun, stepMs))
    return rerun.holesMs.map((holeMs) => ({ holeMs, again }))
  })
  patches.sort((one, other) => one.holeMs[0] - other.holeMs[0])
  return patches.map(({ holeMs, again }, index) => {
    const before = patches[index - 1]?.holeMs[1]
    const after = patches[index + 1]?.holeMs[0]
    const untilMs = after === undefined ? null : (holeMs[1] + after) / 2
    const fromMs = before === undefined ? null : (before + holeMs[0]) / 2
    const ended =
      untilMs === null ? again : endsAt(again, textUntil(again, untilMs, stepMs), untilMs)
    const begun = fromMs === null ? ended : startsAt(ended, textFrom(ended, fromMs, stepMs), fromMs)
    return { holeMs, again: begun }
  })
}

function patched<Leg extends RepairableLeg>(
  pieces: readonly LegPiece<Leg>[],
  { holeMs, again }: Patch<Leg>,
  stepMs: number,
): LegPiece<Leg>[] {
  const [startMs, endMs] = holeMs
  // The old session heard on: the words next to the hole aren't at an edge of it.
  const before = endsAt(pieces, textUntil(pieces, startMs, stepMs), startMs + TWIN_MS)
  const after = startsAt(pieces, textFrom(pieces, startMs, stepMs), endMs - TWIN_MS)
  return joinPieces(joinPieces(before, again, 'later', stepMs), after, 'earlier', stepMs)
}

function textUntil<Leg>(pieces: readonly LegPiece<Leg>[], atMs: number, stepMs: number) {
  return cutTextAt(groupsOf(pieces), atMs, stepMs).head
}

function textFrom<Leg>(pieces: readonly LegPiece<Leg>[], atMs: number, stepMs: number) {
  return cutTextAt(groupsOf(pieces), atMs, stepMs).tail
}

/** Whether a word was heard in the hole; one at its edge may be the old one, marked otherwise. */
function hasTextIn<Leg>({ holeMs: [startMs, endMs], again }: Patch<Leg>, stepMs: number): boolean {
  const isInside = ({ endMs: atMs }: { endMs: number }) =>
    atMs > startMs + TWIN_MS && atMs < endMs - TWIN_MS
  const ends = (group: WordGroup) => unitsOf(group, 0, stepMs)
  return groupsOf(again).some((group) => ends(group).some(isInside))
}
