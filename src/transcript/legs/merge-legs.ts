import { lastStepOf, type WordGroup } from '../words/align.js'
import { type HeardUnit, unitsOf } from './heard-units.js'
import { type HeardStretch, legBoundary, TWIN_MS } from './leg-boundary.js'
import { splitGroup } from './split-group.js'

/** The fields of a leg that merging needs. */
export interface LegStretch {
  /** 0-based number of the leg in its lane. */
  readonly index: number
  readonly startMs: number
  readonly endMs: number
}

/** Legs of one lane and the word groups returned for them, both in order. */
export interface LaneLegs<Leg extends LegStretch> {
  readonly legs: readonly Leg[]
  readonly groups: readonly WordGroup[]
}

/**
 * Removes the overlaps of legs that were cut in speech. A word that both legs have appears once;
 * the first leg ends and the second begins at the boundary between them (`legBoundary`). A group
 * across the boundary is split between its words. Legs without overlap are unchanged, with any text
 * after their end; merging twice changes nothing more. Pure.
 *
 * @param stepMs audio per delta
 */
export function mergeLegs<Leg extends LegStretch>(
  lane: LaneLegs<Leg>,
  stepMs: number,
): LaneLegs<Leg> {
  const legs = [...lane.legs]
  const groupsOf = byLeg(lane.groups)
  for (let index = 1; index < legs.length; index += 1) {
    const earlier = legs[index - 1] as Leg
    const later = legs[index] as Leg
    if (earlier.endMs <= later.startMs) continue
    const overlapMs = [later.startMs, Math.min(earlier.endMs, later.endMs)] as const
    const before = groupsOf.get(earlier.index) ?? []
    const after = groupsOf.get(later.index) ?? []
    const joined = joinTexts({ before, after }, overlapMs, stepMs)
    const { atMs } = joined
    groupsOf.set(earlier.index, joined.before)
    groupsOf.set(later.index, joined.after)
    legs[index - 1] = { ...earlier, endMs: atMs }
    legs[index] = { ...later, startMs: atMs }
  }
  return { legs, groups: [...groupsOf.values()].flat() }
}

/** What remains of two texts that overlapped. */
export interface JoinedTexts {
  /** The boundary, in ms from the start of the recording. */
  atMs: number
  /** The first groups of the earlier text; the last of them may be a part of one. */
  before: WordGroup[]
  /** The last groups of the later text; the first of them may be a part of one. */
  after: WordGroup[]
}

/**
 * Joins two overlapping texts of a lane: each word of the overlap appears once. Pure.
 *
 * @param texts groups of each in order, including those far from the overlap
 * @param overlapMs from the start of the later text to the end of the earlier one
 */
export function joinTexts(
  texts: { before: readonly WordGroup[]; after: readonly WordGroup[] },
  overlapMs: readonly [startMs: number, endMs: number],
  stepMs: number,
): JoinedTexts {
  const { before, after } = texts
  const first = countWhile(before, (group) => lastMs(group, stepMs) < overlapMs[0] - TWIN_MS)
  const until = countWhile(after, (group) => group.endMs <= overlapMs[1] + TWIN_MS)
  const ending = overlapText(before, [first, before.length], stepMs)
  const beginning = overlapText(after, [0, until], stepMs)
  const { atMs, earlierKept, laterDropped } = legBoundary(ending, beginning, overlapMs)
  return {
    atMs,
    before: cutAt(before, ending.units[earlierKept], before.length, stepMs).head,
    after: cutAt(after, beginning.units[laterDropped], until, stepMs).tail,
  }
}

/**
 * Splits groups at a time: words that have ended by then, and all others. Pure.
 * @param groups in order
 */
export function cutTextAt(
  groups: readonly WordGroup[],
  atMs: number,
  stepMs: number,
): { head: WordGroup[]; tail: WordGroup[] } {
  const units = groups.flatMap((group, index) => unitsOf(group, index, stepMs))
  const unit = units.find(({ endMs }) => endMs > atMs)
  return cutAt(groups, unit, groups.length, stepMs)
}

function byLeg(groups: readonly WordGroup[]): Map<number, WordGroup[]> {
  const groupsOf = new Map<number, WordGroup[]>()
  for (const group of groups) {
    const known = groupsOf.get(group.leg)
    if (known) known.push(group)
    else groupsOf.set(group.leg, [group])
  }
  return groupsOf
}

function countWhile(groups: readonly WordGroup[], holds: (group: WordGroup) => boolean): number {
  const found = groups.findIndex((group) => !holds(group))
  return found < 0 ? groups.length : found
}

/** Units and times of the groups `[from, until)` of a leg. */
function overlapText(
  groups: readonly WordGroup[],
  [from, until]: readonly [number, number],
  stepMs: number,
): HeardStretch {
  const part = groups.slice(from, until)
  return {
    units: part.flatMap((group, index) => unitsOf(group, from + index, stepMs)),
    groupsMs: part.map((group) => [group.endMs, lastMs(group, stepMs)]),
  }
}

/** Time of a group's last delta, on the same scale as its `endMs`. */
function lastMs(group: WordGroup, stepMs: number): number {
  return group.endMs + (lastStepOf(group) - group.step) * stepMs
}

/** Splits the groups of a leg before a unit; without a unit, before the group `orGroup`. */
function cutAt(
  groups: readonly WordGroup[],
  unit: HeardUnit | undefined,
  orGroup: number,
  stepMs: number,
): { head: WordGroup[]; tail: WordGroup[] } {
  const groupIndex = unit?.groupIndex ?? orGroup
  const head = groups.slice(0, groupIndex)
  const tail = groups.slice(groupIndex)
  const crossed = tail[0]
  if (!unit || !crossed || unit.charOffset === 0) return { head, tail }
  const [ending, beginning] = splitGroup(crossed, unit.charOffset, stepMs)
  return { head: [...head, ending], tail: [beginning, ...tail.slice(1)] }
}
