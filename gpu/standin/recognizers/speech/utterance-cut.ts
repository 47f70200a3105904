import { msToSamples, samplesToMs } from '../../../../src/model/pcm.js'

/** Samples of one window of the speech detector: 32 ms. */
export const WINDOW_SAMPLES = 512

/** A piece of speech between two pauses, with up to 256 ms of them on both sides. */
export interface Utterance {
  /** Start of the utterance in ms from the first sample pushed. */
  startMs: number
  /** Whole windows. */
  samples: Int16Array
  /** A byte for each window: 1 where the detector hears speech. */
  speech: Uint8Array
}

const windowsOf = (ms: number) => Math.round(msToSamples(ms) / WINDOW_SAMPLES)

/** Windows kept before the first and after the last window of speech. */
const PAD_WINDOWS = windowsOf(256)
/** Length of a pause that ends an utterance. */
const PAUSE_WINDOWS = windowsOf(384)
/** An utterance counts as long after 5 s: a pause of 160 ms then ends it. */
const LONG_WINDOWS = windowsOf(5000)
const LONG_PAUSE_WINDOWS = windowsOf(160)
/** An utterance with less speech has no words. */
const SPEECH_WINDOWS_MIN = windowsOf(96)
/** Longest utterance; it is then cut at the quietest point of its last 3 s. */
const UTTERANCE_WINDOWS_MAX = windowsOf(8000)
const CUT_SEARCH_WINDOWS = windowsOf(3000)
/** Levels are measured over 8 ms, and the quietest point is searched in means over 56 ms. */
const LEVEL_SAMPLES = 128
const LEVELS_PER_WINDOW = WINDOW_SAMPLES / LEVEL_SAMPLES
const CUT_MEAN_LEVELS = 7

/** Longest utterance in ms. */
export const UTTERANCE_MS_MAX = samplesToMs(UTTERANCE_WINDOWS_MAX * WINDOW_SAMPLES)

/**
 * Cuts a stream of 16 kHz audio into utterances, by what a speech detector says of each window.
 *
 * Two modes. *Silence*: only the last 256 ms are kept. *Speech*, from the first window of speech
 * on: everything from slightly before it is kept. A pause ends the utterance, and so does its
 * length of 8 s: it is then cut at the quietest point of its last 3 s, and the audio after the cut
 * begins the next one. Keeps at most 8 s.
 */
export class UtteranceCutter {
  /** Windows that are kept, the oldest first. */
  #windows: { samples: Int16Array; isSpeech: boolean }[] = []
  /** Number of the first window kept, counted from the first pushed. */
  #firstWindow = 0
  /** In speech: windows after the last one with speech. In silence: null. */
  #pauseWindows: number | null = null
  #utterances: Utterance[] = []

  /** Time in ms before which no further utterance starts. */
  get settledMs(): number {
    return samplesToMs(this.#firstWindow * WINDOW_SAMPLES)
  }

  /** Takes one window of `WINDOW_SAMPLES`, which it keeps. */
  push(samples: Int16Array, isSpeech: boolean): void {
    this.#windows.push({ samples, isSpeech })
    if (isSpeech) this.#pauseWindows = 0
    else if (this.#pauseWindows !== null) this.#pauseWindows += 1
    if (this.#pauseWindows === null) {
      this.#drop(this.#windows.length - PAD_WINDOWS)
      return
    }
    const { length } = this.#windows
    const pauseWindows = length >= LONG_WINDOWS ? LONG_PAUSE_WINDOWS : PAUSE_WINDOWS
    if (this.#pauseWindows >= pauseWindows) {
      this.#endUtterance(length - Math.max(0, this.#pauseWindows - PAD_WINDOWS))
    } else if (length >= UTTERANCE_WINDOWS_MAX) {
      this.#endUtterance(this.#quietestWindow())
      this.#resumeSpeech()
    }
  }

  /** Ends the audio, and the utterance that is open. */
  flush(): void {
    if (this.#pauseWindows !== null) this.#endUtterance(this.#windows.length)
  }

  /** The utterances that ended since the last call. */
  take(): Utterance[] {
    const utterances = this.#utterances
    if (utterances.length > 0) this.#utterances = []
    return utterances
  }

  /** Returns the windows before `end` with the next `take`, and goes back to silence. */
  #endUtterance(end: number): void {
    const windows = this.#windows.slice(0, end)
    const speech = Uint8Array.from(windows, ({ isSpeech }) => (isSpeech ? 1 : 0))
    if (speech.reduce((sum, each) => sum + each, 0) >= SPEECH_WINDOWS_MIN) {
      const samples = new Int16Array(end * WINDOW_SAMPLES)
      for (const [index, window] of windows.entries()) {
        samples.set(window.samples, index * WINDOW_SAMPLES)
      }
      this.#utterances.push({ startMs: this.settledMs, samples, speech })
    }
    this.#drop(end)
    this.#pauseWindows = null
  }

  /** After a cut inside of speech: what was kept begins the next utterance. */
  #resumeSpeech(): void {
    const last = this.#windows.map(({ isSpeech }) => isSpeech).lastIndexOf(true)
    if (last >= 0) this.#pauseWindows = this.#windows.length - 1 - last
  }

  #drop(count: number): void {
    if (count <= 0) return
    this.#windows.splice(0, count)
    this.#firstWindow += count
  }

  /** The window that begins nearest to the quietest point of the last 3 s. */
  #quietestWindow(): number {
    const { length } = this.#windows
    const from = length - CUT_SEARCH_WINDOWS
    const levels: number[] = []
    for (let window = from; window < length; window += 1) {
      const { samples } = this.#windows[window] as { samples: Int16Array }
      for (let at = 0; at < LEVELS_PER_WINDOW; at += 1) {
        levels.push(energyOf(samples.subarray(at * LEVEL_SAMPLES, (at + 1) * LEVEL_SAMPLES)))
      }
    }
    let quietest = Number.POSITIVE_INFINITY
    let cut = length - 1
    for (let level = 0; level + CUT_MEAN_LEVELS <= levels.length; level += 1) {
      const sum = levels.slice(level, level + CUT_MEAN_LEVELS).reduce((a, b) => a + b)
      if (sum >= quietest) continue
      quietest = sum
      cut = from + Math.round((level + CUT_MEAN_LEVELS / 2) / LEVELS_PER_WINDOW)
    }
    return Math.min(cut, length - 1)
  }
}

function energyOf(samples: Int16Array): number {
  let energy = 0
  for (const sample of samples) energy += sample * sample
  return energy
}
