import { samplesToMs } from '../../../src/model/pcm.js'
import { wordOfCode } from './proquint.js'
import type { RecognizedWord } from './recognizer.js'
import { WINDOW_SAMPLES } from './tones-alphabet.js'
import { chordAmplitude, readChord } from './tones-chord.js'
import type { ToneSpectrum } from './tones-spectrum.js'

/** Samples by which the spectrum moves on: 20 ms. */
const HOP_SAMPLES = 320
/** Loudness (-64 dB of full scale) below which a hop's spectrum isn't computed. */
const QUIET_RMS = 20
const QUIET_ENERGY = QUIET_RMS * QUIET_RMS * HOP_SAMPLES
/** Number of hops that one window covers. */
const WINDOW_HOPS = Math.ceil(WINDOW_SAMPLES / HOP_SAMPLES)
/**
 * Number of hops in which a chord of 120 ms has at least half of its loudness: 5 or 6; codecs smear
 * it slightly.
 */
const CHORD_HOPS_MIN = 4
const CHORD_HOPS_MAX = 9
/**
 * Least number of hops in which a chord must be read clearly; a full window fits into one three
 * times.
 */
const SURE_HOPS_MIN = 3
/** Time in ms from the half of a chord's loudness to the end of its ramp; measured. */
const RAMP_MS = 2
/** Most hops of one sound; a longer one is no word. */
const TRACK_HOPS_MAX = 16

/**
 * Finds words in a stream of audio that arrives in pieces of any size.
 *
 * Two modes. *Listening*: there is no sound, or none that reads as a chord; the first hop that does
 * starts *tracking*. Tracking follows the loudness of that one chord, hop by hop, until it has
 * fallen to half of its maximum. At that moment the centre of the window is at the chord's end, so
 * the end is computed from where the loudness crosses the half. The sound is a word if it was as
 * long as a word and was read clearly in 3 hops. In both cases it goes back to listening.
 */
export class ToneDecoder {
  readonly #spectrum: ToneSpectrum
  readonly #window = new Int16Array(WINDOW_SAMPLES)
  /** Samples of the hop that is being collected; they are at the end of the window. */
  #hopFill = 0
  #fedSamples = 0
  /** How many more hops need a spectrum after the last one that wasn't quiet. */
  #loudHopsLeft = 0
  #spectra = 0
  #words: RecognizedWord[] = []

  /** The code that is tracked; -1 while listening. */
  #code = -1
  readonly #loudness = new Float64Array(TRACK_HOPS_MAX)
  #trackHops = 0
  #sureHops = 0
  #loudest = 0

  /** @param spectrum may be shared with other decoders */
  constructor(spectrum: ToneSpectrum) {
    this.#spectrum = spectrum
  }

  /** Number of spectra computed, which is nearly all of the work. */
  get spectra(): number {
    return this.#spectra
  }

  /** Every word that ended before this time is known; it is 32 to 52 ms behind the audio. */
  get settledMs(): number {
    return Math.max(0, this.#centreMs())
  }

  /** Takes any number of samples at 16 kHz. */
  push(samples: Int16Array): void {
    let at = 0
    while (at < samples.length) {
      const count = Math.min(HOP_SAMPLES - this.#hopFill, samples.length - at)
      const start = WINDOW_SAMPLES - HOP_SAMPLES + this.#hopFill
      for (let index = 0; index < count; index++) {
        this.#window[start + index] = samples[at + index] as number
      }
      at += count
      this.#hopFill += count
      if (this.#hopFill === HOP_SAMPLES) this.#endHop()
    }
  }

  /** Settles everything that was pushed, as if silence followed. */
  flush(): void {
    const endMs = samplesToMs(this.#fedSamples + this.#hopFill)
    this.push(new Int16Array(WINDOW_SAMPLES + HOP_SAMPLES))
    for (const word of this.#words) word.endMs = Math.min(word.endMs, endMs)
  }

  /** The words found since the last call. */
  take(): RecognizedWord[] {
    const words = this.#words
    if (words.length > 0) this.#words = []
    return words
  }

  /** Time in ms of the window's centre at the end of the last hop. */
  #centreMs(): number {
    return samplesToMs(this.#fedSamples - WINDOW_SAMPLES / 2)
  }

  #endHop(): void {
    this.#hopFill = 0
    this.#fedSamples += HOP_SAMPLES
    this.#loudHopsLeft = this.#isQuietHop() ? Math.max(0, this.#loudHopsLeft - 1) : WINDOW_HOPS
    if (this.#loudHopsLeft > 0 || this.#code >= 0) this.#look()
    this.#window.copyWithin(0, HOP_SAMPLES)
  }

  #isQuietHop(): boolean {
    let energy = 0
    for (let index = WINDOW_SAMPLES - HOP_SAMPLES; index < WINDOW_SAMPLES; index++) {
      const sample = this.#window[index] as number
      energy += sample * sample
    }
    return energy < QUIET_ENERGY
  }

  #look(): void {
    const power = this.#spectrum.powerOf(this.#window)
    this.#spectra++
    const read = readChord(power)
    const isOther = read >= 0 && read !== this.#code
    // The edge of a chord can be misread: a different chord that follows at once is taken for the
    // word.
    if (isOther && this.#sureHops < 2) this.#startTrack(read)
    if (this.#code < 0) return
    const loudness = chordAmplitude(power, this.#code)
    if (loudness < this.#loudest / 2) {
      this.#endTrack(loudness)
      return
    }
    this.#loudness[Math.min(this.#trackHops, TRACK_HOPS_MAX - 1)] = loudness
    this.#trackHops++
    this.#loudest = Math.max(this.#loudest, loudness)
    if (read === this.#code) this.#sureHops++
  }

  #startTrack(code: number): void {
    this.#code = code
    this.#trackHops = 0
    this.#sureHops = 0
    this.#loudest = 0
  }

  /** @param loudness of the hop in which the tracked chord fell below half of its maximum */
  #endTrack(loudness: number): void {
    const isWord =
      this.#trackHops <= TRACK_HOPS_MAX && this.#sureHops >= SURE_HOPS_MIN && this.#isWordLong()
    if (isWord) {
      const before = this.#loudness[this.#trackHops - 1] as number
      const hopsAgo = (this.#loudest / 2 - loudness) / (before - loudness)
      const endMs = this.#centreMs() - hopsAgo * samplesToMs(HOP_SAMPLES) + RAMP_MS
      const latestMs = samplesToMs(this.#fedSamples)
      this.#words.push({
        text: wordOfCode(this.#code),
        endMs: Math.round(Math.min(Math.max(endMs, 0), latestMs)),
      })
    }
    this.#startTrack(-1)
  }

  /** True when the chord had at least half of its maximum loudness for as long as a chord lasts. */
  #isWordLong(): boolean {
    let hops = 0
    for (let index = 0; index < this.#trackHops; index++) {
      if ((this.#loudness[index] as number) >= this.#loudest / 2) hops++
    }
    return hops >= CHORD_HOPS_MIN && hops <= CHORD_HOPS_MAX
  }
}
