import { lastStepOf, type WordGroup } from '../words/align.js'
import { TWIN_MS } from './leg-boundary.js'
import { joinTexts, type LaneLegs, type LegStretch } from './merge-legs.js'

/** A part of a leg that stays in the transcript; a lane is a row of such pieces. */
export interface LegPiece<Leg> {
  /** The leg as sent; the same object for all pieces of one session. */
  readonly sent: Leg
  readonly startMs: number
  readonly endMs: number
  /** `moved`: the piece ends where another one's text begins, not at a cut of its leg. */
  readonly cut: 'pause' | 'quiet' | 'end' | 'moved'
  readonly groups: readonly WordGroup[]
}

/** The fields of a leg that its pieces need. */
interface PieceableLeg extends LegStretch {
  readonly cut: 'pause' | 'quiet' | 'end'
  readonly deltas: number
}

/** @param merged the lane's legs without their overlaps */
export function piecesOf<Leg extends PieceableLeg>(
  lane: LaneLegs<Leg>,
  merged: LaneLegs<Leg>,
): LegPiece<Leg>[] {
  const groups = new Map<number, WordGroup[]>(merged.legs.map(({ index }) => [index, []]))
  for (const group of merged.groups) groups.get(group.leg)?.push(group)
  return merged.legs.map(({ index, startMs, endMs, cut }, at) => {
    const own = groups.get(index) as WordGroup[]
    return { sent: lane.legs[at] as Leg, startMs, endMs, cut, groups: own }
  })
}

/** The text of all pieces of a row, in order. */
export function groupsOf<Leg>(pieces: readonly LegPiece<Leg>[]): WordGroup[] {
  return pieces.flatMap(({ groups }) => groups)
}

/**
 * Cuts a row off at a time.
 * @param text what stays of its text: its first groups, the last of them perhaps in part
 */
export function endsAt<Leg>(
  pieces: readonly LegPiece<Leg>[],
  text: readonly WordGroup[],
  atMs: number,
): LegPiece<Leg>[] {
  let from = 0
  return pieces.flatMap((piece) => {
    const groups = text.slice(from, from + piece.groups.length)
    from += piece.groups.length
    if (piece.startMs >= atMs && groups.length === 0) return []
    const [startMs, endMs] = [Math.min(piece.startMs, atMs), Math.min(piece.endMs, atMs)]
    const cut = endMs < piece.endMs ? 'moved' : piece.cut
    return [{ ...piece, startMs, endMs, cut, groups }]
  })
}

/**
 * Drops the part of a row before a time.
 * @param text what stays of its text: its last groups, the first of them perhaps in part
 */
export function startsAt<Leg>(
  pieces: readonly LegPiece<Leg>[],
  text: readonly WordGroup[],
  atMs: number,
): LegPiece<Leg>[] {
  let from = text.length - groupsOf(pieces).length
  return pieces.flatMap((piece) => {
    const until = from + piece.groups.length
    const groups = text.slice(Math.max(0, from), Math.max(0, until))
    from = until
    if (piece.endMs <= atMs && groups.length === 0) return []
    const [startMs, endMs] = [Math.max(piece.startMs, atMs), Math.max(piece.endMs, atMs)]
    return [{ ...piece, startMs, endMs, groups }]
  })
}

/**
 * Joins two rows. Where both have text in their overlap, `joinTexts` decides; where only one has,
 * its text is used.
 *
 * @param newer the row of the rerun: where the older row has no text in the overlap, the rerun's
 * whole text is used
 */
export function joinPieces<Leg>(
  earlier: readonly LegPiece<Leg>[],
  later: readonly LegPiece<Leg>[],
  newer: 'earlier' | 'later',
  stepMs: number,
): LegPiece<Leg>[] {
  const startMs = later[0]?.startMs ?? Number.POSITIVE_INFINITY
  const endMs = earlier.at(-1)?.endMs ?? Number.NEGATIVE_INFINITY
  if (endMs <= startMs) return [...earlier, ...later]
  const overlapMs = [startMs, Math.min(endMs, later.at(-1)?.endMs ?? endMs)] as const
  const [before, after] = [groupsOf(earlier), groupsOf(later)]
  const older = newer === 'later' ? before : after
  if (!older.some((group) => isNear(group, overlapMs, stepMs))) {
    return newer === 'later'
      ? [...endsAt(earlier, before, startMs), ...later]
      : [...earlier, ...startsAt(later, after, endMs)]
  }
  const joined = joinTexts({ before, after }, overlapMs, stepMs)
  return [
    ...endsAt(earlier, joined.before, joined.atMs),
    ...startsAt(later, joined.after, joined.atMs),
  ]
}

/** True when a group's text lies in a segment or reaches into it (240 ms tolerance). */
function isNear(
  group: WordGroup,
  [fromMs, untilMs]: readonly [number, number],
  stepMs: number,
): boolean {
  const lastMs = group.endMs + (lastStepOf(group) - group.step) * stepMs
  const isThere = lastMs >= fromMs - TWIN_MS && group.endMs <= untilMs + TWIN_MS
  return isThere && group.text.trim() !== ''
}

/** A row in the form of a transcript's legs. */
interface RowOfLegs<Leg> {
  /** Numbered anew, in order, without overlaps. */
  legs: Leg[]
  /** Each leg as it was sent, under its new number. */
  sentLegs: Leg[]
  groups: WordGroup[]
}

/**
 * The legs of a row. Pieces of one session share its deltas: each has those up to the start of the
 * next piece, and its steps count from its own first delta.
 */
export function legsOfPieces<Leg extends PieceableLeg>(
  pieces: readonly LegPiece<Leg>[],
  options: { stepMs: number; cutAt(atMs: number): 'pause' | 'quiet' },
): RowOfLegs<Leg> {
  const firstSteps = [...pieces.keys()].map((index) => firstStepOf(pieces, index, options.stepMs))
  const row: RowOfLegs<Leg> = { legs: [], sentLegs: [], groups: [] }
  for (const [index, { sent, startMs, endMs, cut, groups }] of pieces.entries()) {
    const firstStep = firstSteps[index] as number
    const next = pieces.findIndex((piece, at) => at > index && piece.sent === sent)
    const deltas = (next < 0 ? sent.deltas : (firstSteps[next] as number)) - firstStep
    // A rerun's last leg says `end`, as if the recording ended there; inside the lane the cut's
    // true kind is looked up.
    const isMoved = cut === 'moved' || (cut === 'end' && index < pieces.length - 1)
    const told = isMoved ? options.cutAt(endMs) : cut
    row.legs.push({ ...sent, index, startMs, endMs, deltas, cut: told })
    row.sentLegs.push({ ...sent, index })
    for (const group of groups) row.groups.push(movedTo(group, index, firstStep))
  }
  return row
}

/** Index of the session's first delta that belongs to the piece. */
function firstStepOf<Leg extends PieceableLeg>(
  pieces: readonly LegPiece<Leg>[],
  index: number,
  stepMs: number,
): number {
  const { sent, startMs, groups } = pieces[index] as LegPiece<Leg>
  const isFirst = pieces.findIndex((piece) => piece.sent === sent) === index
  if (isFirst) return 0
  const byTime = Math.round((startMs - sent.startMs) / stepMs)
  return Math.max(0, Math.min(byTime, sent.deltas, groups[0]?.step ?? byTime))
}

function movedTo(group: WordGroup, leg: number, firstStep: number): WordGroup {
  const step = group.step - firstStep
  const pieces = group.pieces?.map(([at, offset]) => [at - firstStep, offset] as const)
  return { ...group, leg, step, ...(pieces ? { pieces } : {}) }
}
