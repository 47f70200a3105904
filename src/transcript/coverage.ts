import type { MsRange } from '../kernel/ms-range.js'
import type { WordGroup } from './words/align.js'
import type { TranscriptWord } from './words/words.js'

/** Speech without a word of text. */
export interface CoverageHole {
  readonly startMs: number
  readonly endMs: number
}

/** A hole and how much was said in it. */
export interface LaneHole extends CoverageHole {
  /** Speech inside it, pauses not counted. */
  readonly speechMs: number
}

/** How much of the speech of one lane came back as text. */
export interface LaneCoverage {
  readonly speechMs: number
  /** Speech outside of holes; 0 where a lane has no text at all. */
  readonly transcribedMs: number
  /** In order. */
  readonly holes: readonly LaneHole[]
}

/**
 * Speech between the ends of two texts that is a hole, where nothing else is asked for. In talk a
 * word ends every 0.4 s on average, and slow, long or stretched ones after some 1.5 s; pauses of
 * 0.3 s aren't speech. In `samples/` the longest such distance is 1.0 s.
 */
export const HOLE_MIN_MS = 3_000
/** Sounds further apart than this are no talk together: coughs in a silence don't add up. */
const TALK_APART_MS = 10_000

/**
 * Compares the speech map of a lane with its text. Of text only ends are known: they are the steps
 * of its deltas. So what counts is the speech between the ends of two successive texts, pauses left
 * out; with `holeMinMs` of it or more the stretch from the one end to the estimated start of the
 * other text is a hole. That way a hole is seen in which so much was said, and never missed for a
 * wrong estimate.
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

/** Each delta with text is text at its step: a long run without spaces is no hole. */
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

/** What lies between the end of one text and the start and end of the next one. */
interface TextGap {
  readonly fromMs: number
  /** Where the next text starts, by estimate. */
  readonly untilMs: number
  readonly nextEndMs: number
}

/** Before, between and after texts, given as ranges that are sorted by their starts. */
function* gapsBetween(ranges: readonly MsRange[]): Generator<TextGap> {
  let fromMs = Number.NEGATIVE_INFINITY
  for (const [startMs, nextEndMs] of ranges) {
    if (startMs > fromMs) yield { fromMs, untilMs: startMs, nextEndMs }
    fromMs = Math.max(fromMs, nextEndMs)
  }
  const never = Number.POSITIVE_INFINITY
  yield { fromMs, untilMs: never, nextEndMs: never }
}

/** Talk in a gap, and how much of it is before the end of the text after the gap. */
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
    // What is inside the next text only says how long the talk is.
    endMs: part.speechMs > 0 ? part.endMs : talk.endMs,
    speechMs: talk.speechMs + part.speechMs,
    heardMs: talk.heardMs + part.heardMs,
  }
}
