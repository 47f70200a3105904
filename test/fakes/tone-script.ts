import { WORD_CODES, wordOfCode } from '../../gpu/standin/recognizers/proquint.js'
import { CHORD_MS, CHORD_SPACING_MS } from '../../gpu/standin/recognizers/tones-alphabet.js'
import type { ToneWord } from './tone-encoder.js'

/** A word may come so much later than its turn, so that words don't stand on frame borders only. */
const JITTER_MS_MAX = 160

/**
 * Words for a fixture, all different, one every `everyMs`, each a little off its turn. Scripts with
 * the same `count` and different seeds 0, 1, 2... share no word as long as seed × count stays below
 * 65,536, so that a word that turns up in the wrong session tells where it came from.
 *
 * @param script.seed whole number from 0
 * @param script.startMs no word starts before it; 0 if absent
 * @returns `count` words; the last one ends before `startMs + count * everyMs`
 * @throws RangeError when words would be too close, or more than there are
 */
export function toneScript(script: {
  seed: number
  count: number
  everyMs: number
  startMs?: number
}): ToneWord[] {
  const { seed, count, everyMs, startMs = 0 } = script
  if (everyMs < CHORD_SPACING_MS || count > WORD_CODES) {
    throw new RangeError(
      `A script of ${count} words, one every ${everyMs} ms, can't be: at most ${WORD_CODES} words, ` +
        `at least ${CHORD_SPACING_MS} ms apart.`,
    )
  }
  const jitterMsMax = Math.min(JITTER_MS_MAX, everyMs - CHORD_SPACING_MS)
  return Array.from({ length: count }, (_, index) => {
    const code = shuffled((seed * count + index) % WORD_CODES)
    const jitterMs = shuffled(code ^ 0x5a5a) % (jitterMsMax + 1)
    return { text: wordOfCode(code), endMs: startMs + index * everyMs + CHORD_MS + jitterMs }
  })
}

/** A fixed one-to-one shuffle of the numbers of 16 bits: each of its steps can be undone. */
function shuffled(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed, 0x9e3b) & 0xffff
  mixed ^= mixed >> 7
  mixed = Math.imul(mixed, 0x85eb) & 0xffff
  mixed ^= mixed >> 9
  return mixed
}
