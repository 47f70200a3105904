import { LAST_TONE_BIN, WINDOW_SAMPLES } from './tones-alphabet.js'

const HALF = WINDOW_SAMPLES / 2
/** Number of bins whose power is computed: up to the last tone and its neighbours. */
const BINS = LAST_TONE_BIN + 4

/**
 * Power spectrum of 64 ms of audio under a Hann window. A real transform of 1,024 points, done as a
 * complex one of 512. It has scratch arrays but no state: one instance serves all sessions of a
 * process, and nothing is allocated per spectrum.
 */
export class ToneSpectrum {
  readonly #hann = new Float64Array(WINDOW_SAMPLES)
  readonly #reversed = new Uint16Array(HALF)
  readonly #cos = new Float64Array(WINDOW_SAMPLES)
  readonly #sin = new Float64Array(WINDOW_SAMPLES)
  readonly #re = new Float64Array(HALF)
  readonly #im = new Float64Array(HALF)
  readonly #power = new Float64Array(BINS)

  constructor() {
    for (let index = 0; index < WINDOW_SAMPLES; index++) {
      const angle = (2 * Math.PI * index) / WINDOW_SAMPLES
      this.#hann[index] = 0.5 - 0.5 * Math.cos(angle)
      this.#cos[index] = Math.cos(angle)
      this.#sin[index] = -Math.sin(angle)
    }
    for (let index = 1; index < HALF; index++) {
      const half = this.#reversed[index >> 1] as number
      this.#reversed[index] = (half >> 1) | ((index & 1) * (HALF >> 1))
    }
  }

  /**
   * Computes the power of each bin.
   * @param window exactly 1,024 samples
   * @returns power of the bins from 0 to three past the last tone, sample units squared;
   * overwritten by the next call
   */
  powerOf(window: Int16Array): Float64Array {
    for (let index = 0; index < HALF; index++) {
      const at = this.#reversed[index] as number
      const even = 2 * index
      this.#re[at] = (window[even] as number) * (this.#hann[even] as number)
      this.#im[at] = (window[even + 1] as number) * (this.#hann[even + 1] as number)
    }
    this.#transform()
    // Separates the spectra of the even and the odd samples, then combines them to that of the real
    // signal.
    for (let bin = 1; bin < BINS; bin++) {
      const re = this.#re[bin] as number
      const im = this.#im[bin] as number
      const mirrorRe = this.#re[HALF - bin] as number
      const mirrorIm = this.#im[HALF - bin] as number
      const evenRe = 0.5 * (re + mirrorRe)
      const evenIm = 0.5 * (im - mirrorIm)
      const oddRe = 0.5 * (im + mirrorIm)
      const oddIm = 0.5 * (mirrorRe - re)
      const cos = this.#cos[bin] as number
      const sin = this.#sin[bin] as number
      const sumRe = evenRe + cos * oddRe - sin * oddIm
      const sumIm = evenIm + cos * oddIm + sin * oddRe
      this.#power[bin] = sumRe * sumRe + sumIm * sumIm
    }
    return this.#power
  }

  /** Radix-2 transform in place, over input in bit-reversed order. */
  #transform(): void {
    const re = this.#re
    const im = this.#im
    for (let span = 1; span < HALF; span *= 2) {
      const stride = HALF / span
      for (let offset = 0; offset < span; offset++) {
        const cos = this.#cos[offset * stride] as number
        const sin = this.#sin[offset * stride] as number
        for (let low = offset; low < HALF; low += 2 * span) {
          const high = low + span
          const highRe = re[high] as number
          const highIm = im[high] as number
          const turnedRe = cos * highRe - sin * highIm
          const turnedIm = cos * highIm + sin * highRe
          const lowRe = re[low] as number
          const lowIm = im[low] as number
          re[low] = lowRe + turnedRe
          im[low] = lowIm + turnedIm
          re[high] = lowRe - turnedRe
          im[high] = lowIm - turnedIm
        }
      }
    }
  }
}
