import { samplesToMs } from '../../../../src/model/pcm.js'
import type { RecognizedWord } from '../recognizer.js'
import { WINDOW_SAMPLES } from './utterance-cut.js'

const WINDOW_MS = samplesToMs(WINDOW_SAMPLES)

/**
 * Lays words over the speech of their utterance, each in proportion to its letters, since the model
 * says nothing of times. Pure.
 * @param speech a byte for each window, 1 for speech
 * @param startMs of the first window
 */
export function layWords(
  words: readonly string[],
  { speech, startMs }: { speech: Uint8Array; startMs: number },
): RecognizedWord[] {
  const windows = [...speech.keys()].filter((index) => speech[index] === 1)
  // Half a letter for the gap between words, so that a short one has time as well.
  const weights = words.map((word) => word.replace(/[^\p{L}\p{N}]/gu, '').length + 0.5)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let written = 0
  return words.map((text, index) => {
    written += weights[index] as number
    const spoken = (written / total) * windows.length
    // The last window of speech that the word reaches into, and how far.
    const at = Math.max(0, Math.ceil(spoken) - 1)
    const window = windows[at] ?? 0
    return { text, endMs: startMs + (window + spoken - at) * WINDOW_MS }
  })
}
