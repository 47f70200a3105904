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

/** The fields of a leg that repairing needs. */
export interface RepairableLeg extends LegStretch {
  readonly cut: 'pause' | 'quiet' | 'end'
  /** Deltas received, empty ones included. */
  readonly deltas: number
}

/** A segment of a lane that was run once more because of the holes in it. */
export interface LaneRerun<Leg extends RepairableLeg> extends LaneLegs<Leg> {
  /**
   * The holes, in order, each with its surroundings inside the rerun's legs. Leg numbers are the
   * rerun's own.
   */
  readonly holesMs: readonly MsRange[]
}

/** A lane after its holes were repaired. */
export interface RepairedLane<Leg extends RepairableLeg> extends LaneLegs<Leg> {
  /** The legs as sent, each under the same index; a session in two parts is in it twice. */
  readonly sentLegs: readonly Leg[]
  /** Holes that got text, in order. */
  readonly patchedMs: readonly MsRange[]
}

/** One hole, and the text of its rerun. */
interface Patch<Leg> {
  readonly holeMs: MsRange
  readonly again: readonly LegPiece<Leg>[]
}

/**
 * Merges the legs of a lane, and fills its holes with the text of reruns. Pure.
 *
 * A rerun with text inside a hole replaces what is there. Its surroundings are joined to the old
 * text by the rule of overlapping legs (`legBoundary`): words that both have appear once, text
 * further away is unchanged. The old leg then ends at the first boundary and continues at the
 * second, as two legs that share its deltas. A rerun without text in a hole changes nothing there.
 *
 * @param lane legs as sent; `speechMs` tells cuts in pauses from others
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

/**
 * All patches in order. Where one rerun covers several holes, each gets the part up to the middle
 * between it and the next.
 */
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
  // Extended by 240 ms into the hole: the old session transcribed on through it, so words next to
  // the hole must not be judged as words at a leg's edge, which may be half words.
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

/**
 * True when a word ends inside the hole, more than 240 ms from its edges: a word nearer to an edge
 * may be the old one with a slightly different time.
 */
function hasTextIn<Leg>({ holeMs: [startMs, endMs], again }: Patch<Leg>, stepMs: number): boolean {
  const isInside = ({ endMs: atMs }: { endMs: number }) =>
    atMs > startMs + TWIN_MS && atMs < endMs - TWIN_MS
  const ends = (group: WordGroup) => unitsOf(group, 0, stepMs)
  return groupsOf(again).some((group) => ends(group).some(isInside))
}
