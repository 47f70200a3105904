import { lastStepOf, type WordGroup } from '../words/align.js'
import { type HeardUnit, unitsOf } from './heard-units.js'
import { type HeardStretch, legBoundary, TWIN_MS } from './leg-boundary.js'
import { splitGroup } from './split-group.js'

/** A leg as far as merging looks at it. */
export interface LegStretch {
  /** 0-based, in its lane. */
  readonly index: number
  readonly startMs: number
  readonly endMs: number
}

/** Legs of one lane and what came back for them, both in order. */
export interface LaneLegs<Leg extends LegStretch> {
  readonly legs: readonly Leg[]
  readonly groups: readonly WordGroup[]
}

/**
 * Resolves the overlaps of legs that were cut in the middle of talk: of every word that both legs
 * heard one is left, and both legs end and begin at the boundary between them (`legBoundary`). A
 * group that the boundary crosses is split between its words. Legs that don't overlap stay as they
 * are, with whatever text came after their end; merged legs merge to themselves. Pure.
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

/** What is left of two texts that overlapped. */
export interface JoinedTexts {
  /** The boundary. */
  atMs: number
  /** The first groups of the earlier text, the last of them perhaps only in part. */
  before: WordGroup[]
  /** The last groups of the later text, the first of them perhaps only in part. */
  after: WordGroup[]
}

/**
 * Joins two texts of a lane of which both heard a stretch: of every word there one is left. Pure.
 *
 * @param texts groups of each in order, those far from the overlap too
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
  const ending = heard(before, [first, before.length], stepMs)
  const beginning = heard(after, [0, until], stepMs)
  const { atMs, earlierKept, laterDropped } = legBoundary(ending, beginning, overlapMs)
  return {
    atMs,
    before: cutAt(before, ending.units[earlierKept], before.length, stepMs).head,
    after: cutAt(after, beginning.units[laterDropped], until, stepMs).tail,
  }
}

/**
 * Cuts groups in two at a time: words that have ended by then, and all others. Pure.
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

/** What stands in the groups `[from, until)` of a leg. */
function heard(
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

/** When the last delta of a group was due, of the same measure as its `endMs`. */
function lastMs(group: WordGroup, stepMs: number): number {
  return group.endMs + (lastStepOf(group) - group.step) * stepMs
}

/** Cuts the groups of a leg before a unit; without one, before the group `orGroup`. */
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
