import type { MsRange } from '../kernel/ms-range.js'
import { laneCoverage } from './coverage.js'
import { type AuditedHole, auditedHoles, type FailedRerun } from './coverage-report.js'
import type { SubtitleLimits } from './formats/subtitle-limits.js'
import { type LaneRerun, repairLane } from './legs/repair-lane.js'
import type { WordGroup } from './words/align.js'
import { joinText } from './words/line-breaking.js'
import { segmentWords } from './words/segmentation.js'
import { type TranscriptWord, wordsOfGroups } from './words/words.js'

/** The segment of a lane that one session transcribed, in ms from the start of the recording. */
export interface TranscriptLeg {
  /** 0-based number of the leg in its lane. */
  readonly index: number
  /**
   * Start as sent; in an assembled transcript the boundary where the leg before overlapped.
   */
  readonly startMs: number
  /** End as sent; in an assembled transcript the boundary where the next leg overlapped. */
  readonly endMs: number
  /**
   * Where the leg ends: in a pause, at the quietest point of unbroken speech, or at the end of the
   * recording.
   */
  readonly cut: 'pause' | 'quiet' | 'end'
  /** Deltas received, empty ones included. */
  readonly deltas: number
  /** `estimated` where delta count, usage and the law of steps disagree. */
  readonly timing: 'token-step' | 'estimated'
  /** Fencing number of the attempt that transcribed the leg. */
  readonly attempt: number
}

/** Everything that the engines returned for one lane. */
export interface TranscriptLane {
  /** 0-based channel of the recording; null for the mix of all. */
  readonly channel: number | null
  /**
   * The legs as sent, in order. A leg that was cut in speech may overlap the next; between two legs
   * cut in a pause there may be silence that was not sent.
   */
  readonly legs: readonly TranscriptLeg[]
  /** Word groups as received, those of all legs in order. */
  readonly groups: readonly WordGroup[]
  /** The lane's speech map: sorted, without overlaps. */
  readonly speechMs: readonly MsRange[]
  /** Segments run once more because their speech had no text. Their legs are numbered by rerun. */
  readonly reruns?: readonly LaneRerun<TranscriptLeg>[]
  /** Holes that were to be run once more, each with the reason why it wasn't. */
  readonly failedReruns?: readonly FailedRerun[]
}

/** A word with the channel and the segment that it belongs to. */
export interface AssembledWord extends TranscriptWord {
  readonly channel: number | null
  readonly segmentId: number
}

/**
 * A segment of speech in one leg of one lane: a sentence, or as much of it as fits a subtitle. A
 * sentence across a cut is two segments, so that each segment has one leg and one attempt.
 */
export interface TranscriptSegment {
  /** 0-based number in order of time over all lanes. */
  readonly id: number
  readonly startMs: number
  readonly endMs: number
  readonly text: string
  readonly channel: number | null
  readonly leg: number
  /** Fencing number of the attempt that transcribed its leg. */
  readonly attempt: number
  readonly words: readonly AssembledWord[]
}

/** The result of one lane: what differs from channel to channel. */
export interface AssembledLane {
  readonly channel: number | null
  /** In order, without overlaps. A word belongs to the leg in which it ended. */
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
  /** Words of all segments, in order of their starts. */
  readonly words: readonly AssembledWord[]
  readonly lanes: readonly AssembledLane[]
  readonly coverage: {
    readonly speechMs: number
    readonly transcribedMs: number
    /** Holes in order of their starts, the repaired ones included. */
    readonly holes: readonly (AuditedHole & { readonly channel: number | null })[]
  }
}

/** How lanes are assembled. */
export interface AssemblyOptions {
  durationMs: number
  /** Audio per delta, in ms. */
  stepMs: number
  subtitles: SubtitleLimits
  /** Shortest hole, in ms of speech; see `laneCoverage`. */
  holeMinMs?: number
}

type UnnumberedSegment = Omit<TranscriptSegment, 'id' | 'words'> & {
  readonly words: readonly TranscriptWord[]
}

/**
 * Assembles the lanes of a recording, and the legs of each lane: speech that two legs transcribed
 * appears once (`mergeLegs`), and the text of a rerun fills its hole (`repairLane`). Words of one
 * lane never overlap; words of two lanes may. Pure.
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

/** Legs, words and holes of one lane, each hole with what was done about it. */
export function transcribedLane(
  lane: TranscriptLane,
  options: { durationMs: number; stepMs: number; holeMinMs?: number },
) {
  const { stepMs, durationMs, holeMinMs } = options
  const { reruns = [], failedReruns = [], speechMs } = lane
  const { legs, sentLegs, groups, patchedMs } = repairLane(lane, reruns, stepMs)
  // Uses the legs as sent, not as merged: near a boundary a word may begin or end beyond it.
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
 * Segments as running text: a space between two segments, except within one lane in scripts that
 * are written without spaces.
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
