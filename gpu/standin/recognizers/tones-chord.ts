import {
  CHORD_TONES,
  checkOfCode,
  FIRST_TONE_BIN,
  LAST_TONE_BIN,
  toneBin,
  toneOfCode,
  tonesInBand,
} from './tones-alphabet.js'

/** Least share of the power between 125 and 3,360 Hz that the five tones must have. */
const PURITY_MIN = 0.6
/** How many times stronger a band's tone must be than the second strongest of that band. */
const CLEARANCE_MIN = 4
/**
 * How many times stronger the strongest tone may be than the weakest: 13 dB. In speech the
 * difference is larger.
 */
const SPREAD_MAX = 20

/** The energy of a tone: the Hann window spreads it over three bins. */
function toneEnergy(power: Float64Array, bin: number): number {
  return (power[bin - 1] as number) + (power[bin] as number) + (power[bin + 1] as number)
}

/**
 * The code whose chord a spectrum shows; -1 when it shows none. A chord is five clear tones of
 * similar strength, one in each band, little else, and a correct checksum. Pure; allocates nothing.
 */
export function readChord(power: Float64Array): number {
  let code = 0
  let check = -1
  let chordEnergy = 0
  let weakest = Number.POSITIVE_INFINITY
  let strongest = 0
  for (let band = 0; band < CHORD_TONES; band++) {
    let tone = 0
    let best = 0
    let second = 0
    for (let candidate = 0; candidate < tonesInBand(band); candidate++) {
      const energy = toneEnergy(power, toneBin(band, candidate))
      if (energy > best) {
        second = best
        best = energy
        tone = candidate
      } else if (energy > second) second = energy
    }
    if (best <= CLEARANCE_MIN * second) return -1
    chordEnergy += best
    weakest = Math.min(weakest, best)
    strongest = Math.max(strongest, best)
    if (band === CHORD_TONES - 1) check = tone
    else code |= tone << (4 * band)
  }
  if (check !== checkOfCode(code) || strongest > SPREAD_MAX * weakest) return -1
  let allEnergy = 0
  for (let bin = FIRST_TONE_BIN - 3; bin <= LAST_TONE_BIN + 3; bin++) {
    allEnergy += power[bin] as number
  }
  return chordEnergy >= PURITY_MIN * allEnergy ? code : -1
}

/**
 * Loudness of a code's chord in a spectrum, whatever else is in it; proportional to its amplitude.
 */
export function chordAmplitude(power: Float64Array, code: number): number {
  let energy = 0
  for (let band = 0; band < CHORD_TONES; band++) {
    energy += toneEnergy(power, toneBin(band, toneOfCode(code, band)))
  }
  return Math.sqrt(energy)
}
