/**
 * Pronounceable names of 16-bit numbers: consonant, vowel, consonant, vowel, consonant, with 16
 * consonants and 4 vowels. Every five-letter word of that shape is exactly one number, so a
 * fixture's transcript reads like words and any two of its words can be told apart. The alphabet is
 * the one of the proquint proposal (arXiv 0901.4016).
 */

const CONSONANTS = 'bdfghjklmnprstvz'
const VOWELS = 'aiou'

/** Number of words; codes are 0 to one less. */
export const WORD_CODES = 65_536

/** The word of a code. @throws RangeError when `code` isn't a whole number from 0 to 65,535 */
export function wordOfCode(code: number): string {
  if (!Number.isInteger(code) || code < 0 || code >= WORD_CODES) {
    throw new RangeError(`A word's code is a whole number of 0 to ${WORD_CODES - 1}, not ${code}.`)
  }
  return (
    CONSONANTS.charAt(code >> 12) +
    VOWELS.charAt((code >> 10) & 3) +
    CONSONANTS.charAt((code >> 6) & 15) +
    VOWELS.charAt((code >> 4) & 3) +
    CONSONANTS.charAt(code & 15)
  )
}

/** The code of a word in lower case; null when it isn't one of the 65,536. */
export function codeOfWord(word: string): number | null {
  if (word.length !== 5) return null
  let code = 0
  for (let index = 0; index < 5; index++) {
    const letters = index % 2 === 0 ? CONSONANTS : VOWELS
    const digit = letters.indexOf(word.charAt(index))
    if (digit < 0) return null
    code = code * letters.length + digit
  }
  return code
}
