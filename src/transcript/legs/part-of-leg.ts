import { lastStepOf, type WordGroup } from '../words/align.js'
import { splitGroup } from './split-group.js'

/** Whether a run of text goes across a step: has deltas before it, and on it or after it. */
export function isWithinRun(groups: readonly WordGroup[], step: number): boolean {
  return groups.some((group) => group.step < step && lastStepOf(group) >= step)
}

/**
 * The text of a leg up to a step, exclusive. A run that goes across is cut before its first delta
 * on the step or after it.
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
