import { SAMPLE_RATE } from '../../model/pcm.js'
import { VAD_WINDOW_SAMPLES } from './speech-map.js'

/** Steps of half a dB above -127.5 dBFS: 0 is silence, 255 full scale. */
const DB_STEPS = 2
const LOUDEST = 255
/** Level below which no window counts as speech: -60 dBFS. */
const GATE = LOUDEST - 60 * DB_STEPS
/** Speech begins 9 dB above the noise, and lasts while the level is 5 dB above it. */
const RISE = 9 * DB_STEPS
const FALL = 5 * DB_STEPS
/** Windows that still count as speech after the level has fallen: 6, or 0.2 s. */
const HANGOVER_WINDOWS = 6
/** The noise level is the 10th percentile of the 30 s around a window. */
const NOISE_SHARE = 0.1
const HALF_SPAN_WINDOWS = Math.round((15 * SAMPLE_RATE) / VAD_WINDOW_SAMPLES)

/**
 * Detects voice activity by level alone, for machines on which the Silero model can't run. In noise
 * it misses speech, and loud noise counts as speech. It holds one byte for each window (113 kB an
 * hour) and decides at the end, when the noise around each window is known. Pure.
 */
export class EnergyVad {
  private levels = new Uint8Array(4096)
  private count = 0
  private squareSum = 0
  private filled = 0

  push(pcm: Int16Array): void {
    for (let index = 0; index < pcm.length; index += 1) {
      const sample = pcm[index] as number
      this.squareSum += sample * sample
      this.filled += 1
      if (this.filled === VAD_WINDOW_SAMPLES) this.closeWindow()
    }
  }

  /** One byte for each window, 1 for speech; the last window may be incomplete. */
  finish(): Uint8Array {
    if (this.filled > 0) this.closeWindow()
    return energyMask(this.levels.subarray(0, this.count))
  }

  private closeWindow(): void {
    const power = this.squareSum / this.filled / 32_768 ** 2
    const level = Math.round(LOUDEST + 10 * Math.log10(power + 1e-13) * DB_STEPS)
    if (this.count === this.levels.length) {
      const grown = new Uint8Array(this.levels.length * 2)
      grown.set(this.levels)
      this.levels = grown
    }
    this.levels[this.count] = Math.max(0, Math.min(LOUDEST, level))
    this.count += 1
    this.squareSum = 0
    this.filled = 0
  }
}

/** Marks the windows with speech, by levels in steps of half a dB; see `EnergyVad`. */
export function energyMask(levels: Uint8Array): Uint8Array {
  const mask = new Uint8Array(levels.length)
  const noise = new SlidingPercentile()
  let added = 0
  let speaking = false
  let hangover = 0
  for (let index = 0; index < levels.length; index += 1) {
    while (added < Math.min(levels.length, index + HALF_SPAN_WINDOWS)) {
      noise.add(levels[added] as number)
      added += 1
    }
    if (index >= HALF_SPAN_WINDOWS) noise.remove(levels[index - HALF_SPAN_WINDOWS] as number)
    const floor = noise.value(NOISE_SHARE)
    const level = levels[index] as number
    const loud = level > Math.max(GATE, floor + (speaking ? FALL : RISE))
    if (loud) hangover = HANGOVER_WINDOWS
    else hangover = Math.max(0, hangover - 1)
    speaking = hangover > 0
    mask[index] = speaking ? 1 : 0
  }
  return mask
}

/** Percentile of the bytes that were added and not removed, by a histogram. */
class SlidingPercentile {
  private readonly counts = new Uint32Array(256)
  private total = 0

  add(value: number): void {
    this.counts[value] = (this.counts[value] as number) + 1
    this.total += 1
  }

  remove(value: number): void {
    this.counts[value] = (this.counts[value] as number) - 1
    this.total -= 1
  }

  value(share: number): number {
    let left = share * this.total
    for (let value = 0; value < 256; value += 1) {
      left -= this.counts[value] as number
      if (left < 0) return value
    }
    return 255
  }
}
