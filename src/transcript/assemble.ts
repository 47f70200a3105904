import type { MsRange } from '../kernel/ms-range.js'
import { laneCoverage } from './coverage.js'
import { type AuditedHole, auditedHoles, type FailedRerun } from './coverage-report.js'
import type { SubtitleLimits } from './formats/subtitle-limits.js'
import { type LaneRerun, repairLane } from './legs/repair-lane.js'
import type { WordGroup } from './words/align.js'
import { joinText } from './words/line-breaking.js'
import { segmentWords } from './words/segmentation.js'
import { type TranscriptWord, wordsOfGroups } from './words/words.js'

/** The stretch of a lane that one session carried, in ms from the start of the recording. */
export interface TranscriptLeg {
  /** 0-based, in its lane. */
  readonly index: number
  /** As sent; in an assembled transcript the boundary where the leg before overlapped. */
  readonly startMs: number
  /** As sent; in an assembled transcript the boundary where the next leg overlapped. */
  readonly endMs: number
  /** What the leg ends with: a pause, the quietest point of unbroken speech, or the recording. */
  readonly cut: 'pause' | 'quiet' | 'end'
  /** Received, empty ones included. */
  readonly deltas: number
  /** `estimated` where count of deltas, usage and the law of steps don't agree. */
  readonly timing: 'token-step' | 'estimated'
  /** Fence of the attempt that carried it. */
  readonly attempt: number
}

/** Everything that came back for one lane. */
export interface TranscriptLane {
  /** 0-based channel of the recording; null for the mix of all. */
  readonly channel: number | null
  /**
   * As they were sent, in order. One that was cut in talk may reach into the next; between two that
   * were cut in a pause there may be silence that nobody sent.
   */
  readonly legs: readonly TranscriptLeg[]
  /** As they came back, all legs in order. */
  readonly groups: readonly WordGroup[]
  /** The lane's speech map: sorted, without overlaps. */
  readonly speechMs: readonly MsRange[]
  /** What was carried once more because speech had no text; legs numbered by rerun. */
  readonly reruns?: readonly LaneRerun<TranscriptLeg>[]
  /** Holes that were to be carried once more, and why that came to nothing. */
  readonly failedReruns?: readonly FailedRerun[]
}

/** A word and where it belongs. */
export interface AssembledWord extends TranscriptWord {
  readonly channel: number | null
  readonly segmentId: number
}

/**
 * A stretch of talk in one leg of one lane: a sentence, or as much of it as fits a subtitle. A
 * sentence that goes on over a cut is two segments, so that each has one leg and one attempt.
 */
export interface TranscriptSegment {
  /** 0-based, in order of time over all lanes. */
  readonly id: number
  readonly startMs: number
  readonly endMs: number
  readonly text: string
  readonly channel: number | null
  readonly leg: number
  /** Fence of the attempt that carried its leg. */
  readonly attempt: number
  readonly words: readonly AssembledWord[]
}

/** The result of one lane, for what differs by channel. */
export interface AssembledLane {
  readonly channel: number | null
  /** In order, none reaching into the next: a word belongs to the leg in which it ended. */
  readonly legs: readonly TranscriptLeg[]
  readonly text: string
  readonly speechMs: number
  readonly transcribedMs: number
}

/** A transcript before it is written in any format. Times are whole ms. */
export interface AssembledTranscript {
  readonly durationMs: number
  readonly text: string
  readonly segments: readonly TranscriptSegment[]
  /** Of all segments, by their starts. */
  readonly words: readonly AssembledWord[]
  readonly lanes: readonly AssembledLane[]
  readonly coverage: {
    readonly speechMs: number
    readonly transcribedMs: number
    /** By their starts; what was repaired is among them. */
    readonly holes: readonly (AuditedHole & { readonly channel: number | null })[]
  }
}

/** What lanes are assembled with. */
export interface AssemblyOptions {
  durationMs: number
  /** Audio per delta. */
  stepMs: number
  subtitles: SubtitleLimits
  /** See `laneCoverage`. */
  holeMinMs?: number
}

type UnnumberedSegment = Omit<TranscriptSegment, 'id' | 'words'> & {
  readonly words: readonly TranscriptWord[]
}

/**
 * Puts the lanes of a recording together, and the legs of each: what two legs both heard is in it
 * once (`mergeLegs`), and what a rerun heard is where there was a hole (`repairLane`). Words of one
 * lane never overlap; lanes may. Pure.
 */
export function assembleTranscript(
  input: AssemblyOptions & { lanes: readonly TranscriptLane[] },
): AssembledTranscript {
  const { durationMs } = input
  const lanes = input.lanes.map((lane) => assembleLane(lane, input))
  const segments = lanes
    .flatMap((lane) => lane.segments)
    .sort((left, right) => left.startMs - right.startMs || byChannel(left, right))
    .map(numbered)
  const words = segments
    .flatMap((segment) => segment.words)
    .sort((left, right) => left.startMs - right.startMs || left.segmentId - right.segmentId)
  return {
    durationMs,
    text: runningText(segments),
    segments,
    words,
    lanes: lanes.map(({ channel, legs, coverage: { speechMs, transcribedMs }, ...lane }) => ({
      channel,
      legs,
      text: runningText(lane.segments),
      speechMs,
      transcribedMs,
    })),
    coverage: {
      speechMs: sum(lanes.map((lane) => lane.coverage.speechMs)),
      transcribedMs: sum(lanes.map((lane) => lane.coverage.transcribedMs)),
      holes: lanes
        .flatMap(({ channel, holes }) => holes.map((hole) => ({ ...hole, channel })))
        .sort((left, right) => left.startMs - right.startMs || byChannel(left, right)),
    },
  }
}

/** What one lane comes to: its legs, words and holes, each hole with what became of it. */
export function transcribedLane(
  lane: TranscriptLane,
  options: { durationMs: number; stepMs: number; holeMinMs?: number },
) {
  const { stepMs, durationMs, holeMinMs } = options
  const { reruns = [], failedReruns = [], speechMs } = lane
  const { legs, sentLegs, groups, patchedMs } = repairLane(lane, reruns, stepMs)
  // By the legs as they were sent: near a boundary words may begin, or be marked, beyond it.
  const words = wordsOfGroups(groups, { stepMs, durationMs, legs: sentLegs })
  const bound = holeMinMs === undefined ? {} : { holeMinMs }
  const coverage = laneCoverage({ speechMs, groups, words, stepMs, ...bound })
  const holes = auditedHoles(coverage.holes, { reruns, failedReruns, patchedMs })
  return { legs, words, coverage, holes }
}

function assembleLane(lane: TranscriptLane, input: AssemblyOptions) {
  const { legs, words, coverage, holes } = transcribedLane(lane, input)
  const { channel } = lane
  const segments = laneSegments({ channel, legs }, words, input.subtitles)
  return { channel, legs, segments, coverage, holes }
}

/**
 * Segments as running text: a space between any two, but none where one lane goes on in a script
 * that is written without.
 */
export function runningText(
  segments: readonly { text: string; channel: number | null; words: readonly TranscriptWord[] }[],
): string {
  let previous: { channel: number | null } | undefined
  const pieces = segments.map((segment) => {
    const goesOn = previous?.channel === segment.channel
    previous = segment
    return { text: segment.text, spaced: !goesOn || segment.words[0]?.spaced !== false }
  })
  return joinText(pieces)
}

function laneSegments(
  lane: Pick<TranscriptLane, 'channel' | 'legs'>,
  words: readonly TranscriptWord[],
  limits: SubtitleLimits,
): UnnumberedSegment[] {
  const attempts = new Map(lane.legs.map((leg) => [leg.index, leg.attempt]))
  return segmentWords(words, limits, lane.channel).map((members) => {
    const first = members[0] as TranscriptWord
    const last = members.at(-1) as TranscriptWord
    return {
      startMs: first.startMs,
      endMs: last.endMs,
      text: joinText(members),
      channel: lane.channel,
      leg: first.leg,
      attempt: attempts.get(first.leg) ?? 0,
      words: members,
    }
  })
}

function numbered(segment: UnnumberedSegment, id: number): TranscriptSegment {
  const { channel } = segment
  const words = segment.words.map((word) => ({ ...word, channel, segmentId: id }))
  return { id, ...segment, words }
}

function byChannel(left: { channel: number | null }, right: { channel: number | null }): number {
  return (left.channel ?? -1) - (right.channel ?? -1)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
