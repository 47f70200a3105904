import type { MsRange } from '../kernel/ms-range.js'
/**
 * A recording that can be read by ranges, pinned to one content. The caller builds it over an
 * object store, so that `src/media` knows nothing of buckets.
 */
export interface MediaSource {
  /** Name of the recording in error sentences: the object's key or the file's name. */
  name: string
  bytes: number
  /**
   * Reads `[startByte, endByte)`; must fail when the content is no longer the one that was pinned.
   */
  read(
    range: { startByte: number; endByte: number },
    options: { signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>>
}

/** How the channels of a recording become lanes. */
export type ChannelMode = 'mix' | 'split'

/** Speech, pauses, level and waveform of one lane. */
export interface LaneAnalysis {
  /** 0-based channel of the recording; null for the mix of all. */
  channel: number | null
  /** RMS over the whole lane, dB relative to full scale; null for digital silence. */
  levelDbfs: number | null
  speech: {
    method: 'silero-v6' | 'energy'
    segmentsMs: MsRange[]
    speechMs: number
  }
  /** Segments without speech of at least `pauseMinMs`, lead-in and tail included. */
  pausesMs: MsRange[]
  /** Absolute peak of every 50 ms (20 a second), 0 to 255. */
  peaks: Uint8Array
}

/** Defects of a recording that its transcript warns of. */
export type MediaWarning = 'media_truncated' | 'media_damaged'

/** Findings of the analysis pass about a recording. Durations are of the decoded audio. */
export interface MediaAnalysis {
  durationMs: number
  durationMethod: 'decoded'
  /** Samples of every lane, at 16 kHz; `durationMs` is derived from it. */
  samples: number
  container: string
  codec: string
  /** Sample rate of the source in Hz, before resampling. */
  sampleRate: number
  channels: number
  /** SHA-256 of the source's bytes, lower-case hex. */
  sha256: string
  lanes: LaneAnalysis[]
  warnings: MediaWarning[]
  /** How long the decode took, in ms, for metrics. */
  decodeMs: number
}

/** Peaks a second in `LaneAnalysis.peaks`. */
export const PEAKS_PER_SECOND = 20

/** The decoded audio of a recording as FLAC with a seek table, in a spool file of this machine. */
export interface SpooledFlac extends AsyncDisposable {
  bytes: number
  /** All bytes from the first one; can be called again, for another try of an upload. */
  stream(options: { signal: AbortSignal }): AsyncIterable<Uint8Array>
}

/** The outcome of the analysis pass; disposing it removes the spool file. */
export interface AnalysedMedia extends AsyncDisposable {
  analysis: MediaAnalysis
  flac: SpooledFlac
}

/** A part of one lane, in samples of 16 kHz: `[startSample, endSample)`. */
export interface LegRange {
  /** 0-based lane of the recording's FLAC, which is 0 for a mix. */
  lane: number
  startSample: number
  endSample: number
}

/** The PCM of one leg, complete and on this machine; disposing it gives its spool room back. */
export interface SpooledLeg extends AsyncDisposable {
  samples: number
  /** Frames of 80 ms; the last one may be shorter. */
  frameCount: number
  /** All frames in order, from the first. */
  frames(options: { signal: AbortSignal }): AsyncIterable<Uint8Array>
  /** Frame `index` (0-based): 2560 bytes, fewer in the last one. Fast when read in order. */
  readFrame(index: number, options: { signal: AbortSignal }): Promise<Uint8Array>
}

/** Reads legs out of the FLAC of a recording. */
export interface LegReader {
  openLeg(flac: MediaSource, range: LegRange, options: { signal: AbortSignal }): Promise<SpooledLeg>
}
