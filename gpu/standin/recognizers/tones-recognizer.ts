import type { Recognizer, RecognizerFactory } from './recognizer.js'
import { ToneDecoder } from './tones-decoder.js'
import { ToneSpectrum } from './tones-spectrum.js'

/**
 * Recognizes words that a fixture encoded as chords (see `tones-alphabet.ts`): exactly, within 52
 * ms of the audio, and cheaply, so that a test can detect a lost, doubled or moved word among 100
 * sessions. Everything is known when `feed` returns; `onProgress` is never called.
 */
export function createTonesFactory(): RecognizerFactory {
  const spectrum = new ToneSpectrum()
  return {
    name: 'tones',
    deltaDelayMs: 0, // below the model's own delay of 480 ms, so it delays no delta
    start: async () => {},
    create: () => createTonesRecognizer(spectrum),
    close: async () => {},
  }
}

function createTonesRecognizer(spectrum: ToneSpectrum): Recognizer {
  const decoder = new ToneDecoder(spectrum)
  let hasEnded = false
  return {
    feed: (samples) => decoder.push(samples),
    end() {
      if (hasEnded) return
      hasEnded = true
      decoder.flush()
    },
    get settledMs() {
      return hasEnded ? Number.POSITIVE_INFINITY : decoder.settledMs
    },
    take: () => decoder.take(),
    close() {},
  }
}
