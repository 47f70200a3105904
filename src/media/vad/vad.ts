/** Hears one lane; `finish` gives one byte a window of 512 samples, 1 for speech. */
export interface VadLane extends Disposable {
  /** Takes the next samples; waits while too much is unheard. The array becomes the lane's. */
  push(pcm: Int16Array, options: { signal: AbortSignal }): Promise<void>
  finish(options: { signal: AbortSignal }): Promise<Uint8Array>
}

/** Voice activity detection, shared by all analyses of a process. */
export interface Vad extends AsyncDisposable {
  method: 'silero-v6' | 'energy'
  /** Why `auto` fell back to energy, for a log line; null otherwise. */
  fallbackReason: string | null
  openLane(): VadLane
}
