import { msToSamples, samplesToMs } from '../../../src/model/pcm.js'

/** A piece of speech between two pauses, with up to 250 ms of them on both sides. */
export interface Utterance {
  /** Start of the utterance in ms from the first sample pushed. */
  startMs: number
  samples: Int16Array
}

const STEP_MS = 10
const FRAME_SAMPLES = msToSamples(STEP_MS)
/** Speech is at least this many dB above the noise. */
const SPEECH_DB = 9
/** Level in dB (-60 dB of full scale) below which nothing is speech. */
const QUIET_DB = 30
/**
 * How much the assumed noise level rises per frame, in dB, until a quieter frame shows the real
 * one.
 */
const FLOOR_RISE_DB = 0.02
/** Share of the difference by which the noise level follows a quieter frame. */
const FLOOR_FALL = 0.2
/** Speech frames in a row that start an utterance: a click is shorter. */
const ONSET_FRAMES = 3
/** Frames kept before the first and after the last frame of speech: 250 ms. */
const PAD_FRAMES = 25
/** Length of a pause, in frames, that ends an utterance: 400 ms. */
const PAUSE_FRAMES = 40
/** Frames after which an utterance counts as long (3 s): a pause of 220 ms then ends it. */
const LONG_FRAMES = 300
const LONG_PAUSE_FRAMES = 22
/** An utterance with fewer speech frames (60 ms) has no words. */
const SPEECH_FRAMES_MIN = 6
/** Most frames of an utterance (6 s); it is then cut at the quietest point of its last 2 s. */
const UTTERANCE_FRAMES_MAX = 600
const CUT_SEARCH_FRAMES = 200
/** The quietest point is searched in averages over this many frames. */
const CUT_MEAN_FRAMES = 7
/** Frames that are kept: the longest utterance, and space before they have to be moved. */
const BUFFER_FRAMES = UTTERANCE_FRAMES_MAX + PAD_FRAMES + 100

/** Longest utterance in ms. */
export const UTTERANCE_MS_MAX = UTTERANCE_FRAMES_MAX * STEP_MS

/**
 * Cuts a stream of 16 kHz audio, arriving in pieces of any size, into utterances.
 *
 * Two modes. *Silence*: only the last 280 ms are kept; three speech frames in a row start an
 * utterance slightly before them. *Speech*: everything from the utterance's start is kept. A pause
 * ends the utterance, and so does its length of 6 s: it is then cut at the quietest point of its
 * last 2 s, and the audio after the cut begins the next one. Keeps at most 7.3 s.
 */
export class UtteranceCutter {
  readonly #samples = new Int16Array(BUFFER_FRAMES * FRAME_SAMPLES)
  /** Loudness in dB of each frame that is kept. */
  readonly #levels = new Float32Array(BUFFER_FRAMES)
  /** Number of the first frame kept, counted from the first sample pushed. */
  #firstFrame = 0
  #frameCount = 0
  /** Samples after the last whole frame. */
  #partSamples = 0

  #floorDb = QUIET_DB - SPEECH_DB
  #isSpeech = false
  /**
   * In speech: the frame at which the utterance starts. In silence: the earliest frame at which one
   * may.
   */
  #startFrame = 0
  /** In silence: speech frames in a row. In speech: all speech frames of the utterance. */
  #speechFrames = 0
  /** The frame after the last speech frame. */
  #speechEndFrame = 0
  #utterances: Utterance[] = []

  /** Time in ms before which no further utterance starts. */
  get settledMs(): number {
    return (this.#isSpeech ? this.#startFrame : this.#earliestStart()) * STEP_MS
  }

  /** Takes any number of samples. */
  push(samples: Int16Array): void {
    let at = 0
    while (at < samples.length) {
      const count = Math.min(FRAME_SAMPLES - this.#partSamples, samples.length - at)
      const end = this.#frameCount * FRAME_SAMPLES + this.#partSamples
      this.#samples.set(samples.subarray(at, at + count), end)
      at += count
      this.#partSamples += count
      if (this.#partSamples === FRAME_SAMPLES) this.#endFrame()
    }
  }

  /** Ends the audio, and the utterance that is open. */
  flush(): void {
    this.push(new Int16Array(FRAME_SAMPLES - this.#partSamples))
    if (this.#isSpeech) this.#endUtterance(this.#nextFrame())
  }

  /** The utterances that ended since the last call. */
  take(): Utterance[] {
    const utterances = this.#utterances
    if (utterances.length > 0) this.#utterances = []
    return utterances
  }

  #nextFrame(): number {
    return this.#firstFrame + this.#frameCount
  }

  #earliestStart(): number {
    return Math.max(this.#startFrame, this.#nextFrame() - ONSET_FRAMES - PAD_FRAMES)
  }

  #endFrame(): void {
    const level = this.#levelOf(this.#frameCount)
    this.#levels[this.#frameCount] = level
    this.#frameCount++
    this.#partSamples = 0
    const isSpeech = level > Math.max(QUIET_DB, this.#floorDb + SPEECH_DB)
    const floorStepDb = level < this.#floorDb ? (level - this.#floorDb) * FLOOR_FALL : FLOOR_RISE_DB
    this.#floorDb = Math.max(QUIET_DB - SPEECH_DB, this.#floorDb + floorStepDb)
    if (this.#isSpeech) this.#inSpeech(isSpeech)
    else this.#inSilence(isSpeech)
    if (this.#frameCount === BUFFER_FRAMES) this.#forget()
  }

  #levelOf(frame: number): number {
    let energy = 0
    for (let at = frame * FRAME_SAMPLES; at < (frame + 1) * FRAME_SAMPLES; at++) {
      const sample = this.#samples[at] as number
      energy += sample * sample
    }
    return 10 * Math.log10(energy / FRAME_SAMPLES + 1)
  }

  #inSilence(isSpeech: boolean): void {
    this.#speechFrames = isSpeech ? this.#speechFrames + 1 : 0
    if (this.#speechFrames < ONSET_FRAMES) return
    this.#startFrame = this.#earliestStart()
    this.#speechEndFrame = this.#nextFrame()
    this.#isSpeech = true
  }

  #inSpeech(isSpeech: boolean): void {
    const nextFrame = this.#nextFrame()
    if (isSpeech) {
      this.#speechFrames++
      this.#speechEndFrame = nextFrame
    }
    const frames = nextFrame - this.#startFrame
    const pauseFrames = frames >= LONG_FRAMES ? LONG_PAUSE_FRAMES : PAUSE_FRAMES
    if (nextFrame - this.#speechEndFrame >= pauseFrames) {
      this.#endUtterance(Math.min(nextFrame, this.#speechEndFrame + PAD_FRAMES))
    } else if (frames >= UTTERANCE_FRAMES_MAX) {
      const cutFrame = this.#quietestFrame()
      this.#endUtterance(cutFrame)
      this.#isSpeech = true
      this.#speechFrames = this.#speechEndFrame > cutFrame ? nextFrame - cutFrame : 0
    }
  }

  /** The quietest point of the last 2 s. */
  #quietestFrame(): number {
    const last = this.#frameCount - CUT_MEAN_FRAMES
    let quietest = Number.POSITIVE_INFINITY
    let cut = last
    for (let frame = last - CUT_SEARCH_FRAMES; frame <= last; frame++) {
      let sum = 0
      for (let index = 0; index < CUT_MEAN_FRAMES; index++) {
        sum += this.#levels[frame + index] as number
      }
      if (sum < quietest) {
        quietest = sum
        cut = frame + (CUT_MEAN_FRAMES >> 1)
      }
    }
    return this.#firstFrame + cut
  }

  /** Returns the utterance with the next `take`, and goes back to silence after it. */
  #endUtterance(endFrame: number): void {
    if (this.#speechFrames >= SPEECH_FRAMES_MIN) {
      const from = (this.#startFrame - this.#firstFrame) * FRAME_SAMPLES
      const to = (endFrame - this.#firstFrame) * FRAME_SAMPLES
      this.#utterances.push({
        startMs: samplesToMs(this.#startFrame * FRAME_SAMPLES),
        samples: this.#samples.slice(from, to),
      })
    }
    this.#startFrame = endFrame
    this.#isSpeech = false
    this.#speechFrames = 0
  }

  /** Makes room by dropping audio that no utterance can need. */
  #forget(): void {
    const needed = this.#isSpeech ? this.#startFrame : this.#earliestStart()
    const dropped = needed - this.#firstFrame
    this.#samples.copyWithin(0, dropped * FRAME_SAMPLES)
    this.#levels.copyWithin(0, dropped)
    this.#firstFrame = needed
    this.#frameCount -= dropped
  }
}
