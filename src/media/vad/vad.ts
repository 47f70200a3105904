/** Finds the speech of one lane. `finish` gives a byte for each 512 samples, 1 for speech. */
export interface VadLane extends Disposable {
  /**
   * Takes the next samples; waits while the detector is behind. The caller gives the array away.
   */
  push(pcm: Int16Array, options: { signal: AbortSignal }): Promise<void>
  finish(options: { signal: AbortSignal }): Promise<Uint8Array>
}

/** Voice activity detection, shared by all analyses of a process. */
export interface Vad extends AsyncDisposable {
  method: 'silero-v6' | 'energy'
  /** Why `auto` fell back to energy, for a log line; null where it did not. */
  fallbackReason: string | null
  openLane(): VadLane
}
