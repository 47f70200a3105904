import type { AssembledTranscript, TranscriptSegment } from '../assemble.js'
import { breakLines, chunksOf, joinText, textWidth } from '../words/line-breaking.js'
import { fitRuns, fitsCue, lineWidthMax, type TimedPiece } from '../words/segmentation.js'
import { spaceApart } from '../words/spaced-times.js'
import type { SubtitleLimits } from './subtitle-limits.js'

export type { SubtitleLimits } from './subtitle-limits.js'

/** One subtitle, in whole ms from the start of the recording. */
export interface SubtitleCue {
  readonly startMs: number
  readonly endMs: number
  /** At least one line, none empty, without channel labels. */
  readonly lines: readonly string[]
  readonly channel: number | null
}

interface CueDraft {
  readonly channel: number | null
  readonly pieces: readonly TimedPiece[]
  readonly startMs: number
  readonly endMs: number
}

/**
 * Subtitles of a transcript, within the limits: in order, without overlaps, none of zero length,
 * with all text. A cue stays up for reading where there is time before the next. Where channels
 * speak at once, their cues follow each other (`cueStarts`).
 */
export function subtitleCues(
  transcript: Pick<AssembledTranscript, 'segments' | 'durationMs'>,
  limits: SubtitleLimits,
): SubtitleCue[] {
  const channels = [...new Set(transcript.segments.map((segment) => segment.channel))]
  const drafts = channels
    .flatMap((channel) => {
      const segments = transcript.segments.filter((segment) => segment.channel === channel)
      return mergeShort(
        segments.flatMap((segment) => draftsOf(segment, limits)),
        limits,
      )
    })
    .sort(
      (left, right) => left.startMs - right.startMs || (left.channel ?? 0) - (right.channel ?? 0),
    )
  return placeCues(drafts, limits, transcript.durationMs)
}

function draftsOf(segment: TranscriptSegment, limits: SubtitleLimits): CueDraft[] {
  const widthMax = lineWidthMax(limits, segment.channel)
  const pieces = segment.words.flatMap((word) => cutLongWord(word, widthMax))
  return fitRuns(pieces, limits, widthMax).map((run) => draftOf(run, segment.channel))
}

/** Cuts a word that is wider than a line into parts of equal duration. */
function cutLongWord(word: TimedPiece, widthMax: number): TimedPiece[] {
  const chunks = chunksOf(word.text, widthMax)
  if (chunks.length === 1) return [word]
  const partMs = (word.endMs - word.startMs) / chunks.length
  return chunks.map((text, index) => ({
    text,
    spaced: index === 0 && word.spaced,
    startMs: word.startMs + index * partMs,
    endMs: word.startMs + (index + 1) * partMs,
  }))
}

function draftOf(pieces: readonly TimedPiece[], channel: number | null): CueDraft {
  const first = pieces[0] as TimedPiece
  const last = pieces.at(-1) as TimedPiece
  return { channel, pieces, startMs: first.startMs, endMs: last.endMs }
}

/** Joins a cue that would end before it can be read with the next of its channel, if both fit. */
function mergeShort(drafts: readonly CueDraft[], limits: SubtitleLimits): CueDraft[] {
  const merged: CueDraft[] = []
  for (const draft of drafts) {
    const previous = merged.at(-1)
    const together = previous ? [...previous.pieces, ...draft.pieces] : []
    const joins =
      previous !== undefined &&
      draft.startMs - previous.startMs < limits.cueMinMs &&
      fitsCue(together, limits, lineWidthMax(limits, draft.channel))
    if (joins) merged[merged.length - 1] = draftOf(together, draft.channel)
    else merged.push(draft)
  }
  return merged
}

function placeCues(
  drafts: readonly CueDraft[],
  limits: SubtitleLimits,
  durationMs: number,
): SubtitleCue[] {
  const lastSpokenMs = drafts.reduce((latest, draft) => Math.max(latest, draft.endMs), 0)
  const finishMs = Math.max(Math.floor(durationMs), Math.ceil(lastSpokenMs))
  const startsMs = cueStarts(drafts, limits, finishMs)
  return drafts.map((draft, index) => {
    const startMs = startsMs[index] as number
    const nextMs = startsMs[index + 1] as number
    const readMs = (textWidth(joinText(draft.pieces)) * 1000) / limits.charsPerSecondMax
    const shownMs = Math.min(limits.cueMaxMs, Math.max(limits.cueMinMs, readMs))
    const spokenMs = Math.min(Math.round(draft.endMs), startMs + limits.cueMaxMs)
    const endMs = Math.min(nextMs, Math.max(spokenMs, startMs + Math.ceil(shownMs)))
    const lines = breakLines(draft.pieces, lineWidthMax(limits, draft.channel))
    return { startMs, endMs, lines, channel: draft.channel }
  })
}

/**
 * Start of each cue, and as the last entry the end of the last cue. A cue gets its shortest time
 * before the next begins, as long as that delays the next by no more than this time; it always gets
 * its share of it (shortest time / channels). So subtitles stay in step with speech on all channels
 * that never pauses.
 */
function cueStarts(
  drafts: readonly CueDraft[],
  limits: SubtitleLimits,
  finishMs: number,
): number[] {
  const channels = new Set(drafts.map((draft) => draft.channel)).size
  const roomsMs = drafts.map(({ startMs, endMs }) => Math.min(limits.cueMinMs, endMs - startMs))
  const sharesMs = roomsMs.map((roomMs) => Math.max(1, Math.floor(roomMs / channels)))
  let earliestMs = 0
  const delayedMs = drafts.map(({ startMs }, index) => {
    const latestMs = startMs + limits.cueMinMs
    const placedMs = Math.max(startMs, Math.min(earliestMs, latestMs))
    earliestMs = placedMs + (roomsMs[index] as number)
    return placedMs
  })
  return spaceApart([...delayedMs, finishMs], [0, ...sharesMs], finishMs)
}
