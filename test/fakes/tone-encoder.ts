import { codeOfWord } from '../../gpu/standin/recognizers/proquint.js'
import {
  CHORD_MS,
  CHORD_RAMP_MS,
  CHORD_SPACING_MS,
  CHORD_TONES,
  frequenciesOfCode,
} from '../../gpu/standin/recognizers/tones-alphabet.js'
import { SAMPLE_RATE } from '../../src/model/pcm.js'

/** One word of a fixture; `endMs` is when its sound is over, from the start of the audio. */
export interface ToneWord {
  text: string
  endMs: number
}

/** Amplitude of the whole chord at gain 1, of full scale: its five tones can't clip. */
const CHORD_PEAK = 0.8

/**
 * Speaks words as chords that the stand-in's `tones` recognizer understands; silence elsewhere.
 *
 * @param fixture.words by rising `endMs`, at least 240 ms apart, each within the audio
 * @param fixture.sampleRate 8,000 or more; 16,000 if absent
 * @param fixture.gain 1 if absent: 2 dB below full scale at most
 * @throws RangeError for a word that isn't five letters of `proquint.ts`, or doesn't fit its place
 */
export function encodeTones(fixture: {
  words: readonly ToneWord[]
  durationMs: number
  sampleRate?: number
  gain?: number
}): Int16Array {
  const { words, durationMs, sampleRate = SAMPLE_RATE, gain = 1 } = fixture
  const samples = new Int16Array(Math.round((durationMs * sampleRate) / 1000))
  let previousEndMs = CHORD_MS - CHORD_SPACING_MS
  for (const { text, endMs } of words) {
    const code = codeOfWord(text)
    if (code === null) throw new RangeError(`"${text}" is no word that tones can say.`)
    if (!(endMs >= previousEndMs + CHORD_SPACING_MS && endMs <= durationMs)) {
      throw new RangeError(
        `"${text}" can't end at ${endMs} ms: the word before ends at ${previousEndMs} ms, words are ` +
          `${CHORD_SPACING_MS} ms apart and the audio ends at ${durationMs} ms.`,
      )
    }
    previousEndMs = endMs
    addChord(samples, { code, startMs: endMs - CHORD_MS, sampleRate, gain })
  }
  return samples
}

function addChord(
  samples: Int16Array,
  chord: { code: number; startMs: number; sampleRate: number; gain: number },
): void {
  const first = Math.ceil((chord.startMs * chord.sampleRate) / 1000)
  const last = Math.floor(((chord.startMs + CHORD_MS) * chord.sampleRate) / 1000)
  const scale = (32_767 * CHORD_PEAK * chord.gain) / CHORD_TONES
  const frequencies = frequenciesOfCode(chord.code)
  for (let at = Math.max(0, first); at < Math.min(last, samples.length); at++) {
    const sinceMs = (at * 1000) / chord.sampleRate - chord.startMs
    let sum = 0
    for (let tone = 0; tone < frequencies.length; tone++) {
      // Phases that rise by squares keep the tones' peaks apart.
      const turns = ((frequencies[tone] as number) * sinceMs) / 1000 + (tone * tone) / 10
      sum += Math.sin(2 * Math.PI * turns)
    }
    const value = Math.round(sum * scale * rampAt(sinceMs))
    samples[at] = Math.min(32_767, Math.max(-32_768, value))
  }
}

/** Raised cosine at both ends of a chord. */
function rampAt(sinceMs: number): number {
  const edgeMs = Math.min(sinceMs, CHORD_MS - sinceMs)
  return edgeMs >= CHORD_RAMP_MS ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * edgeMs) / CHORD_RAMP_MS)
}
