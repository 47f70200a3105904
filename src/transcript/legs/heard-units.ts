import { stepAt, type WordGroup } from '../words/align.js'
import { CHUNK, isUnspaced } from '../words/word-breaks.js'
import { comparableWords } from '../words/word-error-rate.js'

/**
 * The least text that is given to one of two legs as a whole: a word, or a piece of one in scripts
 * that are written without spaces.
 */
export interface HeardUnit {
  /** 0-based, in the groups of its leg. */
  readonly groupIndex: number
  /** Where it begins in the group's text, the space before it included; 0 for the first one. */
  readonly charOffset: number
  /** By when it had ended, from the start of the recording. */
  readonly endMs: number
  /** Its text without case and punctuation; empty where nothing else is in it. */
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
  // Whatever its first piece, the word that opens a group ended when the group says.
  if (first) units[0] = { ...first, endMs: group.endMs }
  return units
}

/** Where the pieces inside a chunk begin that need no space before them. */
function unspacedStarts(group: WordGroup, chunkOffset: number, chars: number): number[] {
  const { text, pieces = [] } = group
  return pieces
    .map(([, offset]) => offset)
    .filter((offset) => offset > chunkOffset && offset < chunkOffset + chars)
    .filter((offset) => isUnspaced(text.slice(0, offset), text.slice(offset)))
}
