import { lastStepOf, type WordGroup } from './align.js'
import type { TranscriptWord } from './words.js'

/** A stretch of time, in ms from the start of the recording. */
export type MsRange = readonly [startMs: number, endMs: number]

/** Speech without a word of text. */
export interface CoverageHole {
  readonly startMs: number
  readonly endMs: number
}

/** How much of the speech of one lane came back as text. */
export interface LaneCoverage {
  readonly speechMs: number
  /** Speech outside of holes; 0 where a lane has no text at all. */
  readonly transcribedMs: number
  readonly holes: readonly CoverageHole[]
}

/**
 * Speech without text that is called a hole; less is within what speech detection takes for
 * speech.
 */
export const HOLE_MIN_MS = 5_000
/**
 * Text covers so much around itself: its starts are estimated, and speech is detected with a
 * margin.
 */
const TEXT_MARGIN_MS = 500

/**
 * Compares the speech map of a lane with its text. A hole is what lies between two texts when the
 * speech in it, pauses not counted, comes to more than `HOLE_MIN_MS`. Each delta with text counts
 * as text at its step, so that a long run without spaces isn't taken for a hole.
 *
 * @param lane `speechMs` sorted and without overlaps
 */
export function laneCoverage(lane: {
  speechMs: readonly MsRange[]
  groups: readonly WordGroup[]
  words: readonly TranscriptWord[]
  stepMs: number
}): LaneCoverage {
  const { groups, words, stepMs } = lane
  const textMs: MsRange[] = [
    ...words.map(({ startMs, endMs }): MsRange => [startMs, endMs]),
    ...groups.filter(hasText).map((group) => spanOf(group, stepMs)),
  ].sort(([left], [right]) => left - right)
  const speechMs = lane.speechMs.reduce((total, [startMs, endMs]) => total + endMs - startMs, 0)
  const holes: CoverageHole[] = []
  let lostMs = 0
  let firstSegment = 0
  for (const gap of gapsBetween(textMs)) {
    const [gapStartMs] = gap
    while ((lane.speechMs[firstSegment]?.[1] ?? Number.POSITIVE_INFINITY) <= gapStartMs) {
      firstSegment += 1
    }
    const silent = speechWithin(lane.speechMs, firstSegment, gap)
    if (silent.speechMs <= HOLE_MIN_MS) continue
    holes.push({ startMs: silent.startMs, endMs: silent.endMs })
    lostMs += silent.speechMs
  }
  return { speechMs, transcribedMs: words.length === 0 ? 0 : speechMs - lostMs, holes }
}

function hasText(group: WordGroup): boolean {
  return group.text.trim() !== ''
}

function spanOf(group: WordGroup, stepMs: number): MsRange {
  return [group.endMs, group.endMs + (lastStepOf(group) - group.step) * stepMs]
}

/** What lies before, between and after texts, given as ranges that are sorted by their starts. */
function* gapsBetween(ranges: readonly MsRange[]): Generator<MsRange> {
  let reachedMs = Number.NEGATIVE_INFINITY
  for (const [startMs, endMs] of ranges) {
    if (startMs - TEXT_MARGIN_MS > reachedMs) yield [reachedMs, startMs - TEXT_MARGIN_MS]
    reachedMs = Math.max(reachedMs, endMs + TEXT_MARGIN_MS)
  }
  yield [reachedMs, Number.POSITIVE_INFINITY]
}

function speechWithin(segments: readonly MsRange[], from: number, gap: MsRange) {
  const found = { speechMs: 0, startMs: 0, endMs: 0 }
  for (let index = from; index < segments.length; index += 1) {
    const [segmentStartMs, segmentEndMs] = segments[index] as MsRange
    if (segmentStartMs >= gap[1]) break
    const startMs = Math.max(segmentStartMs, gap[0])
    const endMs = Math.min(segmentEndMs, gap[1])
    if (found.speechMs === 0) found.startMs = startMs
    found.speechMs += endMs - startMs
    found.endMs = endMs
  }
  return found
}
