import { labelPrefix } from '../formats/channel-label.js'
import type { SubtitleLimits } from '../formats/subtitle-limits.js'
import { endsClause, lineCounter, linesNeeded, type TextPiece, textWidth } from './line-breaking.js'

/** A piece of text with its times, in ms from the start of the recording. */
export interface TimedPiece extends TextPiece {
  readonly startMs: number
  readonly endMs: number
}

/** The fields of a word that segmentation needs. */
export interface LegPiece extends TimedPiece {
  readonly leg: number
}

const SENTENCE_END = /[.!?…。！？؟।]["'”’»)\]]*$/u
/** Single letters and titles before a name: their dot doesn't end a sentence. */
const ABBREVIATION = /^["'“‘«(]*(?:\p{L}|Mr|Mrs|Ms|Dr|Prof|St)\.$/u
const LOWER_CASE_START = /^\p{Ll}/u
/** Silence, in ms, from which a pause is preferred as the place of a break that has to be made. */
const BREAK_GAP_MS = 200

/** Whether a sentence ends between two words. */
export function endsSentence(word: string, next: string): boolean {
  return SENTENCE_END.test(word) && !ABBREVIATION.test(word) && !LOWER_CASE_START.test(next)
}

/** Characters of a line left beside the channel's label; at least half of the line. */
export function lineWidthMax(limits: SubtitleLimits, channel: number | null): number {
  const { lineCharsMax } = limits
  return Math.max(lineCharsMax - textWidth(labelPrefix(channel)), Math.ceil(lineCharsMax / 2))
}

/** Whether all these pieces (at least one) can be shown in one cue. */
export function fitsCue(
  pieces: readonly TimedPiece[],
  limits: SubtitleLimits,
  widthMax: number,
): boolean {
  const first = pieces[0] as TimedPiece
  const last = pieces.at(-1) as TimedPiece
  if (last.endMs - first.startMs > limits.cueMaxMs) return false
  return linesNeeded(pieces, widthMax) <= limits.linesMax
}

/**
 * Splits the words of one lane into segments: at changes of leg, at silences of `gapMaxMs`, at ends
 * of sentences, and where a segment would no longer fit a cue. Every word is in exactly one.
 */
export function segmentWords<Word extends LegPiece>(
  words: readonly Word[],
  limits: SubtitleLimits,
  channel: number | null,
): Word[][] {
  const widthMax = lineWidthMax(limits, channel)
  return sentencesOf(words, limits).flatMap((run) => fitRuns(run, limits, widthMax))
}

function sentencesOf<Word extends LegPiece>(
  words: readonly Word[],
  limits: SubtitleLimits,
): Word[][] {
  const runs: Word[][] = []
  let previous: Word | undefined
  for (const word of words) {
    const breaks =
      previous === undefined ||
      word.leg !== previous.leg ||
      word.startMs - previous.endMs >= limits.gapMaxMs ||
      endsSentence(previous.text, word.text)
    if (breaks) runs.push([word])
    else runs.at(-1)?.push(word)
    previous = word
  }
  return runs
}

/** Splits a run into parts that fit a cue. A single piece that doesn't fit stays whole. */
export function fitRuns<Piece extends TimedPiece>(
  run: readonly Piece[],
  limits: SubtitleLimits,
  widthMax: number,
): Piece[][] {
  const parts: Piece[][] = []
  let from = 0
  while (from < run.length) {
    const fitsUntil = from + countThatFits(run, from, limits, widthMax)
    const until = fitsUntil < run.length ? breakBetween(run, from, fitsUntil) : fitsUntil
    parts.push(run.slice(from, until))
    from = until
  }
  return parts
}

/** How many pieces from `from` on fit a cue; at least one. */
function countThatFits(
  run: readonly TimedPiece[],
  from: number,
  limits: SubtitleLimits,
  widthMax: number,
): number {
  const first = run[from] as TimedPiece
  const linesWith = lineCounter(widthMax)
  linesWith(first)
  let until = from + 1
  for (let piece = run[until]; piece !== undefined; piece = run[until]) {
    if (piece.endMs - first.startMs > limits.cueMaxMs) break
    if (linesWith(piece) > limits.linesMax) break
    until += 1
  }
  return until - from
}

/**
 * Where to break a run of which the pieces `[from, fitsUntil)` would fit: at the end of a clause in
 * their latter half; else at the longest silence there; else so that the rest isn't a few words
 * only. @returns the index of the piece after the break
 */
function breakBetween(run: readonly TimedPiece[], from: number, fitsUntil: number): number {
  const countMax = fitsUntil - from
  let longest = { gapMs: BREAK_GAP_MS, index: -1 }
  for (let index = fitsUntil; index >= from + Math.ceil(countMax / 2); index -= 1) {
    const before = run[index - 1] as TimedPiece
    const after = run[index] as TimedPiece
    if (endsClause(before.text)) return index
    const gapMs = after.startMs - before.endMs
    if (gapMs > longest.gapMs) longest = { gapMs, index }
  }
  if (longest.index !== -1) return longest.index
  const restCount = run.length - from
  const isTailShort = restCount - countMax < countMax / 2
  return isTailShort ? Math.min(fitsUntil, from + Math.ceil(restCount / 2)) : fitsUntil
}
