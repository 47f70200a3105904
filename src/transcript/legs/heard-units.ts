import { stepAt, type WordGroup } from '../words/align.js'
import { CHUNK, isUnspaced } from '../words/word-breaks.js'
import { comparableWords } from '../words/word-error-rate.js'

/**
 * The smallest text that goes to one of two legs as a whole: a word, or in scripts without spaces a
 * piece of one.
 */
export interface HeardUnit {
  /** 0-based number of its group in the leg. */
  readonly groupIndex: number
  /** Where it begins in the group's text, including the space before it; 0 for the first one. */
  readonly charOffset: number
  /** End of the unit in ms from the start of the recording. */
  readonly endMs: number
  /** Its text without case and punctuation; empty for punctuation alone. */
  readonly plain: string
}

/** The units of one group, in order; none for a group of white space. */
export function unitsOf(group: WordGroup, groupIndex: number, stepMs: number): HeardUnit[] {
  const units: HeardUnit[] = []
  let previousEnd = 0
  for (const { 0: chunk, index: chunkOffset } of group.text.matchAll(CHUNK)) {
    const starts = [chunkOffset, ...unspacedStarts(group, chunkOffset, chunk.length)]
    starts.forEach((start, index) => {
      const until = starts[index + 1] ?? chunkOffset + chunk.length
      units.push({
        groupIndex,
        charOffset: previousEnd,
        endMs: group.endMs + (stepAt(group, start) - group.step) * stepMs,
        plain: comparableWords(group.text.slice(start, until)).join(' '),
      })
      previousEnd = until
    })
  }
  const first = units[0]
  // The first word's end is that of its group, which the engine marked; a piece's step is less
  // exact.
  if (first) units[0] = { ...first, endMs: group.endMs }
  return units
}

/** Offsets of the pieces inside a chunk that continue it without a space. */
function unspacedStarts(group: WordGroup, chunkOffset: number, chars: number): number[] {
  const { text, pieces = [] } = group
  return pieces
    .map(([, offset]) => offset)
    .filter((offset) => offset > chunkOffset && offset < chunkOffset + chars)
    .filter((offset) => isUnspaced(text.slice(0, offset), text.slice(offset)))
}
