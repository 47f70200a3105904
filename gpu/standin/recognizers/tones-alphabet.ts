import { SAMPLE_RATE } from '../../../src/model/pcm.js'

/**
 * How a word's 16 bits sound: one chord of five pure tones, all at once and equally loud. Four
 * tones carry four bits each, every one in a band of its own with 16 frequencies; the fifth, in a
 * band of 4, is a check over the other four. The frequencies stand on every third bin of the
 * decoder's spectrum (47 Hz apart), so that tones next to each other don't overlap in it, and lie
 * between 172 and 3,313 Hz, so that audio sampled at 8 kHz carries them, even as MP3. Nothing
 * depends on phase or on the order of things inside a word: that is what lossy codecs change.
 */

/** Samples of one spectrum at 16 kHz: 64 ms, a bin is 15.625 Hz. */
export const WINDOW_SAMPLES = 1024
/** How long a word's chord sounds, with its ramps. */
export const CHORD_MS = 120
/** Raised-cosine ramp at each end of a chord, so that it doesn't click. */
export const CHORD_RAMP_MS = 10
/** Least time from one chord's start to the next one's. */
export const CHORD_SPACING_MS = 240

/** The bin of the lowest tone of each band: four of data, low to high bits, and the check. */
const BAND_START_BINS = [11, 59, 107, 155, 203] as const
const BIN_STEP = 3
const DATA_TONES = 16
const CHECK_TONES = 4

/** Tones in a chord. */
export const CHORD_TONES = BAND_START_BINS.length
/** Lowest and highest bin at which a tone may stand. */
export const FIRST_TONE_BIN = BAND_START_BINS[0]
/** The highest bin of the spectrum that a tone may lie in. */
export const LAST_TONE_BIN = BAND_START_BINS[4] + BIN_STEP * (CHECK_TONES - 1)

/** How many different tones a band has. */
export function tonesInBand(band: number): number {
  return band === CHORD_TONES - 1 ? CHECK_TONES : DATA_TONES
}

/** The bin at which a tone of a band stands. */
export function toneBin(band: number, tone: number): number {
  return (BAND_START_BINS[band] as number) + BIN_STEP * tone
}

/**
 * Two bits over a code. One wrong tone among the four always shows in them, except one that stands
 * 4, 8 or 12 tones from the right one.
 */
export function checkOfCode(code: number): number {
  const folded = (code & 15) + 3 * ((code >> 4) & 15) + 5 * ((code >> 8) & 15) + 7 * (code >> 12)
  return folded & (CHECK_TONES - 1)
}

/** Which tone of a band a code's chord has. */
export function toneOfCode(code: number, band: number): number {
  return band === CHORD_TONES - 1 ? checkOfCode(code) : (code >> (4 * band)) & 15
}

/** The five frequencies of a code's chord, in Hz, lowest band first. */
export function frequenciesOfCode(code: number): number[] {
  return Array.from({ length: CHORD_TONES }, (_, band) => {
    return (toneBin(band, toneOfCode(code, band)) * SAMPLE_RATE) / WINDOW_SAMPLES
  })
}
