import { SAMPLE_RATE } from '../model/pcm.js'
import { PEAKS_PER_SECOND } from './index.js'

const PEAK_SAMPLES = SAMPLE_RATE / PEAKS_PER_SECOND
const FULL_SCALE = 32_768

/**
 * Measures level and waveform of one lane while its samples pass. Holds one byte for every 50 ms
 * (72 kB an hour), and no samples. Pure.
 */
export class PcmMeter {
  private squareSum = 0
  private samples = 0
  private peak = 0
  private peaks = new Uint8Array(4096)
  private peakCount = 0

  push(pcm: Int16Array): void {
    let { peak } = this
    let squareSum = 0
    let untilPeak = PEAK_SAMPLES - (this.samples % PEAK_SAMPLES)
    for (let index = 0; index < pcm.length; index += 1) {
      const sample = pcm[index] as number
      squareSum += sample * sample
      const size = sample < 0 ? -sample : sample
      if (size > peak) peak = size
      untilPeak -= 1
      if (untilPeak === 0) {
        this.addPeak(peak)
        peak = 0
        untilPeak = PEAK_SAMPLES
      }
    }
    this.peak = peak
    this.squareSum += squareSum
    this.samples += pcm.length
  }

  /** Ends the lane; the last peak may cover less than 50 ms. */
  finish(): { samples: number; levelDbfs: number | null; peaks: Uint8Array } {
    if (this.samples % PEAK_SAMPLES > 0) this.addPeak(this.peak)
    const rms = Math.sqrt(this.squareSum / Math.max(1, this.samples)) / FULL_SCALE
    return {
      samples: this.samples,
      levelDbfs: rms > 0 ? Math.round(200 * Math.log10(rms)) / 10 : null,
      peaks: this.peaks.slice(0, this.peakCount),
    }
  }

  private addPeak(peak: number): void {
    if (this.peakCount === this.peaks.length) {
      const grown = new Uint8Array(this.peaks.length * 2)
      grown.set(this.peaks)
      this.peaks = grown
    }
    this.peaks[this.peakCount] = Math.round((peak * 255) / FULL_SCALE)
    this.peakCount += 1
  }
}
