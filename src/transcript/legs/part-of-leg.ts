import { lastStepOf, type WordGroup } from '../words/align.js'
import { splitGroup } from './split-group.js'

/** True when a group of words crosses a step: it has deltas before the step, and on or after it. */
export function isWithinRun(groups: readonly WordGroup[], step: number): boolean {
  return groups.some((group) => group.step < step && lastStepOf(group) >= step)
}

/**
 * The text of a leg before a step. A group that crosses the step is cut before its first delta on
 * or after it.
 * @param stepMs audio per delta
 */
export function groupsBefore(
  groups: readonly WordGroup[],
  step: number,
  stepMs: number,
): WordGroup[] {
  return groups
    .filter((group) => group.step < step)
    .map((group) => {
      const crossing = group.pieces?.find(([pieceStep]) => pieceStep >= step)
      return crossing === undefined ? group : splitGroup(group, crossing[1], stepMs)[0]
    })
}
