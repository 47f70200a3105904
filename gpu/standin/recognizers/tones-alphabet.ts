import { SAMPLE_RATE } from '../../../src/model/pcm.js'

/**
 * Encodes a word's 16 bits as a chord of five pure tones, all at once and equally loud. Four tones
 * have four bits each, every one in its own band with 16 frequencies; the fifth, in a band of 4, is
 * a checksum of the other four. The frequencies lie on every third bin of the decoder's spectrum
 * (47 Hz apart), so that neighbouring tones don't overlap in it, and between 172 and 3,313 Hz, so
 * that audio sampled at 8 kHz keeps them, even as MP3. Nothing depends on phase or on the order of
 * sounds inside a word: lossy codecs change both.
 */

/** Samples of one spectrum at 16 kHz: 64 ms, a bin is 15.625 Hz. */
export const WINDOW_SAMPLES = 1024
/** Duration of a word's chord in ms, including its ramps. */
export const CHORD_MS = 120
/** Raised-cosine ramp at each end of a chord in ms, so that it doesn't click. */
export const CHORD_RAMP_MS = 10
/** Least time in ms from one chord's start to the next one's. */
export const CHORD_SPACING_MS = 240

/** The bin of the lowest tone of each band: four of data, low to high bits, and the checksum. */
const BAND_START_BINS = [11, 59, 107, 155, 203] as const
const BIN_STEP = 3
const DATA_TONES = 16
const CHECK_TONES = 4

/** Number of tones in a chord. */
export const CHORD_TONES = BAND_START_BINS.length
/** Lowest bin at which a tone may lie. */
export const FIRST_TONE_BIN = BAND_START_BINS[0]
/** Highest bin at which a tone may lie. */
export const LAST_TONE_BIN = BAND_START_BINS[4] + BIN_STEP * (CHECK_TONES - 1)

/** Number of different tones in a band. */
export function tonesInBand(band: number): number {
  return band === CHORD_TONES - 1 ? CHECK_TONES : DATA_TONES
}

/** The bin of a tone of a band. */
export function toneBin(band: number, tone: number): number {
  return (BAND_START_BINS[band] as number) + BIN_STEP * tone
}

/**
 * A checksum of two bits. It detects one wrong tone among the four, except one that is 4, 8 or 12
 * tones away from the right one.
 */
export function checkOfCode(code: number): number {
  const folded = (code & 15) + 3 * ((code >> 4) & 15) + 5 * ((code >> 8) & 15) + 7 * (code >> 12)
  return folded & (CHECK_TONES - 1)
}

/** The tone of a band in a code's chord. */
export function toneOfCode(code: number, band: number): number {
  return band === CHORD_TONES - 1 ? checkOfCode(code) : (code >> (4 * band)) & 15
}

/** The five frequencies of a code's chord, in Hz, lowest band first. */
export function frequenciesOfCode(code: number): number[] {
  return Array.from({ length: CHORD_TONES }, (_, band) => {
    return (toneBin(band, toneOfCode(code, band)) * SAMPLE_RATE) / WINDOW_SAMPLES
  })
}
