import type { MsRange } from '../../kernel/ms-range.js'
import type { HeardUnit } from './heard-units.js'

/** The text of one of two overlapping legs around the overlap. */
export interface HeardStretch {
  /** In order, with rising ends. */
  readonly units: readonly HeardUnit[]
  /** For each group in order: from the end of its first word to its last delta, in ms. */
  readonly groupsMs: readonly MsRange[]
}

/** Where one leg's text ends and the next one's begins. */
export interface LegBoundary {
  readonly atMs: number
  /** How many units of the earlier leg stay, counted from its first. */
  readonly earlierKept: number
  /** How many units of the later leg are dropped, counted from its first. */
  readonly laterDropped: number
}

/** Two equal words of both legs are the same word when their ends are at most 240 ms apart. */
export const TWIN_MS = 240
/** A word within 160 ms (two steps) of a leg's edge that only this leg has may be half a word. */
const EDGE_MS = 160

/** The indexes of a word that both legs have. */
type Twins = readonly [earlier: number, later: number]

/** A word that only one leg has, or has differently from the other. */
interface Difference {
  readonly endMs: number
  /** The side of the word on which the boundary must be, so that the better text stays. */
  readonly wants: 'boundary-before' | 'boundary-after'
}

/**
 * Chooses the boundary between two legs that both transcribed the same segment. Pure.
 *
 * The boundary is in the middle of a gap between groups of both legs. The gap with the fewest
 * differences on the wrong side wins; of equal ones the widest, then the one nearest to the middle
 * of the overlap. Without any gap it is the middle of the overlap.
 *
 * A word that both legs have appears once: it stays with the earlier leg when the mean of both ends
 * is before the boundary. Any other word belongs to the side on which it ended. When that leaves
 * two equal words within `TWIN_MS` next to the boundary, one on each side, one of them is dropped.
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

/** Units that only one leg has; punctuation alone doesn't count. */
function lone(units: readonly HeardUnit[], twins: ReadonlySet<number>): HeardUnit[] {
  return units.filter(({ plain }, index) => plain !== '' && !twins.has(index))
}

function endsOf([one, other]: Twins, earlier: HeardStretch, later: HeardStretch): MsRange {
  const oneMs = (earlier.units[one] as HeardUnit).endMs
  const otherMs = (later.units[other] as HeardUnit).endMs
  return [Math.min(oneMs, otherMs), Math.max(oneMs, otherMs)]
}

/**
 * Decides which leg is right where they differ. The later leg may have begun, and the earlier one
 * ended, inside a word. So where both have text, and within 160 ms of a leg's edge, the leg further
 * from its own edge is right. Elsewhere the leg without the word has missed it.
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

/** The parts of a segment that no range covers. */
function* gapsBetween(takenMs: readonly MsRange[], [fromMs, untilMs]: MsRange): Generator<MsRange> {
  let reachedMs = fromMs
  for (const [startMs, endMs] of [...takenMs].sort(([left], [right]) => left - right)) {
    if (startMs >= untilMs) break
    if (startMs > reachedMs) yield [reachedMs, startMs]
    reachedMs = Math.max(reachedMs, endMs)
  }
  if (untilMs > reachedMs) yield [reachedMs, untilMs]
}

/** Index of the first unit in `[from, until)` that ended after the boundary. */
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
 * The words that both legs have: the longest common sequence, and among equally long ones the one
 * whose ends are closest in time. Needs a table over both, which have a few dozen words at most.
 */
function twinsOf(earlier: readonly HeardUnit[], later: readonly HeardUnit[]): Twins[] {
  const columns = later.length + 1
  // A pair counts 1, less a share for its distance; all shares together are below 1, so that no
  // number of close pairs outweighs one more pair.
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
