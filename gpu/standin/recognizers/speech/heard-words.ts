import type { Decoded } from './decoder-thread.js'

/** What models of this kind write over noise, in lower case without punctuation. */
const FILLERS = new Set([
  ...['you', 'um', 'uh', 'hmm', 'mm', 'oh', 'bye', 'thank you', 'thank you very much', 'thanks'],
  ...['thanks for watching', 'thank you for watching', 'you you'],
])
/** A filler over less speech than this isn't believed. */
const FILLER_SPEECH_MS_MIN = 400
/** Most tokens that can be said: some at once, and so many for each second of speech. */
const TOKENS_AT_ONCE = 4
const TOKENS_PER_SECOND = 9
/** A phrase of up to eight words that is repeated more often in a row is made up. */
const PHRASE_WORDS_MAX = 8
const REPEATS_MAX = 3

/**
 * The words of an utterance, without what the model makes up: over music it writes more than
 * anybody can say in that time, it repeats phrases, and over a cough it writes "You". Pure.
 * @param speechMs what the speech detector heard in the utterance
 */
export function heardWords({ text, tokens }: Decoded, speechMs: number): string[] {
  const written = text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word))
  const words = withoutRepeats(written)
  if (words.length === 0) return []
  const tokensKept = (tokens * words.length) / written.length
  if (tokensKept > TOKENS_AT_ONCE + (TOKENS_PER_SECOND * speechMs) / 1000) return []
  if (speechMs < FILLER_SPEECH_MS_MIN && FILLERS.has(words.map(plain).join(' '))) return []
  return words
}

/** Keeps a phrase that is said too often in a row once. */
function withoutRepeats(words: readonly string[]): string[] {
  const plainWords = words.map(plain)
  const kept: string[] = []
  for (let at = 0; at < words.length; ) {
    const [length, times] = repeatedPhrase(plainWords, at)
    kept.push(...words.slice(at, at + length))
    at += length * times
  }
  return kept
}

/** Length of the phrase at `at`, and how often it stands there; a word, once, by default. */
function repeatedPhrase(words: readonly string[], at: number): [number, number] {
  for (let length = 1; length <= PHRASE_WORDS_MAX; length += 1) {
    let end = at + length
    while (end < words.length && words[end] === words[end - length]) end += 1
    const times = Math.floor((end - at) / length)
    if (times > REPEATS_MAX) return [length, times]
  }
  return [1, 1]
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[^\p{L}\p{N}']/gu, '')
}
