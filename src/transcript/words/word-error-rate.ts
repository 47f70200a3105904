/** The differences between a transcript and its reference, counted in words. */
export interface WordErrorRate {
  /** Words of the reference, normalised. */
  words: number
  substitutions: number
  insertions: number
  deletions: number
  /**
   * All three over `words`; above 1 when many words were inserted. For an empty reference: 0 for an
   * empty transcript, 1 for any other.
   */
  rate: number
}

/**
 * The words of a text in comparable form: lower case, no punctuation. An apostrophe inside a word
 * stays, a hyphen separates words; numbers keep a point or comma inside.
 */
export function comparableWords(text: string): string[] {
  const plain = text.normalize('NFKC').toLowerCase().replaceAll('’', "'")
  return plain.match(/\d+(?:[.,:]\d+)+|[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*/gu) ?? []
}

/**
 * Word error rate: the fewest substitutions, insertions and deletions that turn the reference into
 * the transcript. Time grows with the product of both lengths (0.5 s for 10,000 by 10,000 words),
 * memory with the length of the transcript.
 */
export function wordErrorRate(reference: string, transcript: string): WordErrorRate {
  const wanted = comparableWords(reference)
  const transcribed = comparableWords(transcript)
  const { edits, insertions } = fewestEdits(wanted, transcribed)
  // Insertions add a word, deletions remove one, substitutions do neither: so the two lengths and
  // the insertions give the deletions.
  const deletions = insertions - (transcribed.length - wanted.length)
  const substitutions = edits - insertions - deletions
  const words = wanted.length
  const rate = words === 0 ? Math.min(edits, 1) : edits / words
  return { words, substitutions, insertions, deletions, rate }
}

/**
 * Levenshtein distance over words, one table row at a time, with the insertions on the way to each
 * entry. Among equally good ways a substitution comes before a deletion, and a deletion before an
 * insertion.
 */
function fewestEdits(
  wanted: readonly string[],
  transcribed: readonly string[],
): { edits: number; insertions: number } {
  const numbers = new Map<string, number>()
  const wantedNumbers = wanted.map((word) => numberOf(word, numbers))
  const transcribedNumbers = Int32Array.from(transcribed, (word) => numberOf(word, numbers))
  const edits = Int32Array.from({ length: transcribed.length + 1 }, (_, column) => column)
  const insertions = edits.slice()
  for (const [index, wantedNumber] of wantedNumbers.entries()) {
    let diagonalEdits = index
    let diagonalInsertions = 0
    let leftEdits = index + 1
    let leftInsertions = 0
    edits[0] = leftEdits
    for (let column = 1; column <= transcribed.length; column += 1) {
      const aboveEdits = edits[column] as number
      const aboveInsertions = insertions[column] as number
      const replaced = diagonalEdits + (transcribedNumbers[column - 1] === wantedNumber ? 0 : 1)
      if (replaced <= aboveEdits + 1 && replaced <= leftEdits + 1) {
        leftEdits = replaced
        leftInsertions = diagonalInsertions
      } else if (aboveEdits <= leftEdits) {
        leftEdits = aboveEdits + 1
        leftInsertions = aboveInsertions
      } else {
        leftEdits += 1
        leftInsertions += 1
      }
      diagonalEdits = aboveEdits
      diagonalInsertions = aboveInsertions
      edits[column] = leftEdits
      insertions[column] = leftInsertions
    }
  }
  return {
    edits: edits[transcribed.length] as number,
    insertions: insertions[transcribed.length] as number,
  }
}

function numberOf(word: string, numbers: Map<string, number>): number {
  const number = numbers.get(word) ?? numbers.size
  numbers.set(word, number)
  return number
}
