import type { MsRange } from '../../kernel/ms-range.js'
import type { HeardUnit } from './heard-units.js'

/** What one of two overlapping legs heard around the overlap. */
export interface HeardStretch {
  /** In order, with rising ends. */
  readonly units: readonly HeardUnit[]
  /** From the end of each group's first word to its last delta, in order. */
  readonly groupsMs: readonly MsRange[]
}

/** Where one leg's text ends and the next one's begins. */
export interface LegBoundary {
  readonly atMs: number
  /** Units of the earlier leg that stay, from its first one on. */
  readonly earlierKept: number
  /** Units of the later leg that go, from its first one on. */
  readonly laterDropped: number
}

/** Equal words of both legs are one word when their ends are no further apart. */
export const TWIN_MS = 240
/** A word that one leg alone heard so close to its own edge may be a part of one: two steps. */
const EDGE_MS = 160

/** The indexes of a word that both legs heard. */
type Twins = readonly [earlier: number, later: number]

/** A word that one leg heard and the other did not, or heard as something else. */
interface Difference {
  readonly endMs: number
  /** On which side of it the boundary must be for the better of both texts to stay. */
  readonly wants: 'boundary-before' | 'boundary-after'
}

/**
 * Puts the boundary between two legs that both heard a stretch of talk. Pure.
 *
 * It goes into the middle of a gap between groups of both legs: of those that leave the least
 * differences on the wrong side the widest, of equally wide ones the nearest to the middle of the
 * overlap; where groups leave no such gap, into the middle of the overlap.
 *
 * A word that both heard counts once, and stays with the earlier leg when the mean of both ends is
 * before the boundary. Any other word belongs to the side on which it ended; one that stands on its
 * side next to its like on the other within `TWIN_MS` goes.
 */
export function legBoundary(
  earlier: HeardStretch,
  later: HeardStretch,
  overlapMs: MsRange,
): LegBoundary {
  const twins = twinsOf(earlier.units, later.units)
  const loneEarlier = lone(earlier.units, new Set(twins.map(([index]) => index)))
  const loneLater = lone(later.units, new Set(twins.map(([, index]) => index)))
  const twinsMs = twins.map((pair) => endsOf(pair, earlier, later))
  const takenMs = [...earlier.groupsMs, ...later.groupsMs, ...twinsMs]
  const atMs = bestPlace(takenMs, differencesOf(loneEarlier, loneLater, overlapMs), overlapMs)
  const twinsBefore = twinsMs.filter(([oneMs, otherMs]) => (oneMs + otherMs) / 2 <= atMs).length
  const [lastEarlier, lastLater] = twins[twinsBefore - 1] ?? [-1, -1]
  const [nextEarlier, nextLater] = twins[twinsBefore] ?? [earlier.units.length, later.units.length]
  const earlierKept = countUntil(earlier.units, lastEarlier + 1, nextEarlier, atMs)
  const laterDropped = countUntil(later.units, lastLater + 1, nextLater, atMs)
  const last = earlier.units[earlierKept - 1]
  const next = later.units[laterDropped]
  const isDoubled = last !== undefined && next !== undefined && areTwins(last, next)
  if (isDoubled && loneLater.includes(next)) {
    return { atMs, earlierKept, laterDropped: laterDropped + 1 }
  }
  if (isDoubled && loneEarlier.includes(last)) {
    return { atMs, earlierKept: earlierKept - 1, laterDropped }
  }
  return { atMs, earlierKept, laterDropped }
}

function areTwins(one: HeardUnit, other: HeardUnit): boolean {
  if (one.plain === '' || one.plain !== other.plain) return false
  return Math.abs(one.endMs - other.endMs) <= TWIN_MS
}

/** Units that only one leg heard; mere punctuation is no difference. */
function lone(units: readonly HeardUnit[], twins: ReadonlySet<number>): HeardUnit[] {
  return units.filter(({ plain }, index) => plain !== '' && !twins.has(index))
}

function endsOf([one, other]: Twins, earlier: HeardStretch, later: HeardStretch): MsRange {
  const oneMs = (earlier.units[one] as HeardUnit).endMs
  const otherMs = (later.units[other] as HeardUnit).endMs
  return [Math.min(oneMs, otherMs), Math.max(oneMs, otherMs)]
}

/**
 * Which leg is right where they differ. The later one may have begun, and the earlier one ended,
 * inside a word. So where both wrote something, and at the very edge of a leg, the leg that is
 * further from its own edge is right; elsewhere the other leg missed the word.
 */
function differencesOf(
  loneEarlier: readonly HeardUnit[],
  loneLater: readonly HeardUnit[],
  [startMs, endMs]: MsRange,
): Difference[] {
  const middleMs = (startMs + endMs) / 2
  const judged = (unit: HeardUnit, isEarlier: boolean): Difference => {
    const others = isEarlier ? loneLater : loneEarlier
    const isContested = others.some((other) => Math.abs(other.endMs - unit.endMs) <= TWIN_MS)
    const isAtEdge = isEarlier ? unit.endMs >= endMs - EDGE_MS : unit.endMs <= startMs + EDGE_MS
    const keepsEarlier = isContested || isAtEdge ? unit.endMs <= middleMs : isEarlier
    return { endMs: unit.endMs, wants: keepsEarlier ? 'boundary-after' : 'boundary-before' }
  }
  return [
    ...loneEarlier.map((unit) => judged(unit, true)),
    ...loneLater.map((unit) => judged(unit, false)),
  ]
}

function bestPlace(
  takenMs: readonly MsRange[],
  differences: readonly Difference[],
  [startMs, endMs]: MsRange,
): number {
  const middleMs = (startMs + endMs) / 2
  const places = [...gapsBetween(takenMs, [startMs, endMs])].map(([gapStartMs, gapEndMs]) => ({
    atMs: (gapStartMs + gapEndMs) / 2,
    widthMs: gapEndMs - gapStartMs,
  }))
  const ranked = [...places, { atMs: middleMs, widthMs: 0 }].map(({ atMs, widthMs }) => {
    const wrong = differences.filter((difference) =>
      difference.wants === 'boundary-after' ? atMs < difference.endMs : atMs >= difference.endMs,
    ).length
    return { atMs, widthMs, wrong, awayMs: Math.abs(atMs - middleMs) }
  })
  ranked.sort(
    (one, other) =>
      one.wrong - other.wrong || other.widthMs - one.widthMs || one.awayMs - other.awayMs,
  )
  return ranked[0]?.atMs ?? middleMs
}

/** What of a stretch is not taken. */
function* gapsBetween(takenMs: readonly MsRange[], [fromMs, untilMs]: MsRange): Generator<MsRange> {
  let reachedMs = fromMs
  for (const [startMs, endMs] of [...takenMs].sort(([left], [right]) => left - right)) {
    if (startMs >= untilMs) break
    if (startMs > reachedMs) yield [reachedMs, startMs]
    reachedMs = Math.max(reachedMs, endMs)
  }
  if (untilMs > reachedMs) yield [reachedMs, untilMs]
}

/** The index of the first unit from `from` on, before `until`, that ended after the boundary. */
function countUntil(
  units: readonly HeardUnit[],
  from: number,
  until: number,
  atMs: number,
): number {
  let index = from
  while (index < until && (units[index] as HeardUnit).endMs <= atMs) index += 1
  return index
}

/**
 * The words that both legs heard: as many in the same order as can be, and of as many the ones
 * closest in time. A table over both, which are a few dozen words at most.
 */
function twinsOf(earlier: readonly HeardUnit[], later: readonly HeardUnit[]): Twins[] {
  const columns = later.length + 1
  // Pairs count 1 each, less what their distance takes off: less than one pair over all of them.
  const distanceShare = 1 / (TWIN_MS * (Math.min(earlier.length, later.length) + 1))
  const best = new Float64Array((earlier.length + 1) * columns)
  const at = (row: number, column: number) => best[row * columns + column] as number
  const worth = (row: number, column: number) => {
    const [one, other] = [earlier[row] as HeardUnit, later[column] as HeardUnit]
    if (!areTwins(one, other)) return Number.NEGATIVE_INFINITY
    return 1 - Math.abs(one.endMs - other.endMs) * distanceShare
  }
  for (let row = earlier.length - 1; row >= 0; row -= 1) {
    for (let column = later.length - 1; column >= 0; column -= 1) {
      const paired = worth(row, column) + at(row + 1, column + 1)
      best[row * columns + column] = Math.max(paired, at(row + 1, column), at(row, column + 1))
    }
  }
  const twins: Twins[] = []
  for (let [row, column] = [0, 0]; row < earlier.length && column < later.length; ) {
    if (at(row, column) === worth(row, column) + at(row + 1, column + 1)) {
      twins.push([row, column])
      row += 1
      column += 1
    } else if (at(row, column) === at(row + 1, column)) row += 1
    else column += 1
  }
  return twins
}
