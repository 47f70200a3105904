import type { MsRange } from '../kernel/ms-range.js'
import type { WordGroup } from './words/align.js'
import type { TranscriptWord } from './words/words.js'

/** Speech without any text, in ms from the start of the recording. */
export interface CoverageHole {
  readonly startMs: number
  readonly endMs: number
}

/** A hole and how much speech is in it. */
export interface LaneHole extends CoverageHole {
  /** Speech inside the hole in ms, without pauses. */
  readonly speechMs: number
}

/** How much of one lane's speech was returned as text, in ms. */
export interface LaneCoverage {
  readonly speechMs: number
  /** Speech outside of holes; 0 for a lane without any text. */
  readonly transcribedMs: number
  /** Speech without text in all lanes, by time. */
  readonly holes: readonly LaneHole[]
}

/**
 * Default of the setting `coverage.holeMinMs`: this much speech, in ms, between the ends of two
 * words is a hole. In conversation a word ends every 0.4 s on average, a slow or long one after up
 * to 1.5 s; pauses from 0.3 s aren't speech. In `samples/` the longest such distance is 1.0 s.
 */
export const HOLE_MIN_MS = 3_000
/**
 * Sounds more than 10 s apart are counted separately: coughs in a long silence must not add up to a
 * hole.
 */
const TALK_APART_MS = 10_000

/**
 * Compares the speech map of a lane with its text. Only the ends of texts are exact: they are the
 * steps of deltas. So the speech between the ends of two successive texts is counted, without
 * pauses. With `holeMinMs` of it or more, the segment from the first end to the estimated start of
 * the second text is a hole. So a wrong estimate of a word's start can't hide a hole.
 *
 * @param lane `speechMs` sorted and without overlaps; `words` those of `groups`
 */
export function laneCoverage(lane: {
  speechMs: readonly MsRange[]
  groups: readonly WordGroup[]
  words: readonly TranscriptWord[]
  stepMs: number
  holeMinMs?: number
}): LaneCoverage {
  const { groups, words, stepMs, holeMinMs = HOLE_MIN_MS } = lane
  const textMs: MsRange[] = [
    ...words.map(({ startMs, endMs }): MsRange => [startMs, endMs]),
    ...groups.flatMap((group) => textPoints(group, stepMs)),
  ].sort(([left], [right]) => left - right)
  const holes = holesBetween(textMs, lane.speechMs, holeMinMs)
  const speechMs = lane.speechMs.reduce((total, [startMs, endMs]) => total + endMs - startMs, 0)
  const lostMs = holes.reduce((total, hole) => total + hole.speechMs, 0)
  return { speechMs, transcribedMs: words.length === 0 ? 0 : speechMs - lostMs, holes }
}

/**
 * The time of each delta with text: otherwise a long run of text without spaces, which counts as
 * one word with one end, would look like a hole.
 */
function textPoints(group: WordGroup, stepMs: number): MsRange[] {
  const pieces = group.pieces ?? [[group.step, 0] as const]
  return pieces.flatMap(([step, from], index) => {
    const text = group.text.slice(from, pieces[index + 1]?.[1])
    const atMs = group.endMs + (step - group.step) * stepMs
    return text.trim() === '' ? [] : [[atMs, atMs] as const]
  })
}

function holesBetween(
  textMs: readonly MsRange[],
  segments: readonly MsRange[],
  holeMinMs: number,
): LaneHole[] {
  const holes: LaneHole[] = []
  let first = 0
  for (const gap of gapsBetween(textMs)) {
    while ((segments[first]?.[1] ?? Number.POSITIVE_INFINITY) <= gap.fromMs) first += 1
    for (const { heardMs, ...talk } of talksWithin(segments, first, gap)) {
      if (heardMs >= holeMinMs && talk.speechMs > 0) holes.push(talk)
    }
  }
  return holes
}

/** The gap between the end of one text and the start and end of the next one. */
interface TextGap {
  readonly fromMs: number
  /** Where the next text starts, in ms, by estimate. */
  readonly untilMs: number
  readonly nextEndMs: number
}

/** The gaps before, between and after texts, which are given as ranges sorted by their starts. */
function* gapsBetween(ranges: readonly MsRange[]): Generator<TextGap> {
  let fromMs = Number.NEGATIVE_INFINITY
  for (const [startMs, nextEndMs] of ranges) {
    if (startMs > fromMs) yield { fromMs, untilMs: startMs, nextEndMs }
    fromMs = Math.max(fromMs, nextEndMs)
  }
  const never = Number.POSITIVE_INFINITY
  yield { fromMs, untilMs: never, nextEndMs: never }
}

/** Speech in a gap; `heardMs` is how much of it lies before the end of the text after the gap. */
interface Talk extends LaneHole {
  readonly heardMs: number
}

function talksWithin(segments: readonly MsRange[], first: number, gap: TextGap): Talk[] {
  const talks: Talk[] = []
  for (let index = first; index < segments.length; index += 1) {
    const [segmentStartMs, segmentEndMs] = segments[index] as MsRange
    if (segmentStartMs >= gap.nextEndMs) break
    const startMs = Math.max(segmentStartMs, gap.fromMs)
    const endMs = Math.max(startMs, Math.min(segmentEndMs, gap.untilMs))
    const heardMs = Math.min(segmentEndMs, gap.nextEndMs) - startMs
    const part = { startMs, endMs, speechMs: endMs - startMs, heardMs }
    const last = talks.at(-1)
    if (!last || startMs - last.endMs > TALK_APART_MS) talks.push(part)
    else talks[talks.length - 1] = joined(last, part)
  }
  return talks
}

function joined(talk: Talk, part: Talk): Talk {
  return {
    startMs: talk.startMs,
    // A part inside the next text counts for the length of the speech, but doesn't extend the hole.
    endMs: part.speechMs > 0 ? part.endMs : talk.endMs,
    speechMs: talk.speechMs + part.speechMs,
    heardMs: talk.heardMs + part.heardMs,
  }
}
