import type { MsRange } from '../kernel/ms-range.js'
import type { Random } from '../kernel/random.js'

/** Average time between the middles of two pauses of a meeting. */
export const ASSUMED_PAUSE_EVERY_MS = 6_000
/** Length of an assumed pause: long enough for a cut. */
const ASSUMED_PAUSE_MS = 600
/** Two pauses are never nearer than this, middle to middle. */
const ASSUMED_GAP_MIN_MS = 1_000

/**
 * Assumed pauses of a recording that isn't analysed yet: at random, one every 6 s on average
 * (exponential), sorted and without overlaps. The same random numbers give the same pauses.
 */
export function assumedPauses(random: Random, durationMs: number): MsRange[] {
  const pauses: MsRange[] = []
  const meanMs = ASSUMED_PAUSE_EVERY_MS - ASSUMED_GAP_MIN_MS
  for (let middleMs = 0; ; ) {
    middleMs += ASSUMED_GAP_MIN_MS - Math.log(1 - random.uniform()) * meanMs
    if (middleMs + ASSUMED_PAUSE_MS / 2 >= durationMs) return pauses
    pauses.push([middleMs - ASSUMED_PAUSE_MS / 2, middleMs + ASSUMED_PAUSE_MS / 2])
  }
}
