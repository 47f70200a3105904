/**
 * Is told what happens to the sessions of all jobs of a process; metrics are made of it. Its
 * methods are called at the moment it happens: they must not throw or wait.
 */
export interface WorkTally {
  /** One leg was followed by the next of its lane. */
  rotated(): void
  /** A session failed, and its audio from the last safe cut on is sent again in a new session. */
  reconnected(): void
  /** `audioMs` of audio after the last safe cut had been sent and is sent again. */
  redone(audioMs: number): void
}

/** A tally that counts nothing: the default of a `JobMeter`. */
export const NO_TALLY: WorkTally = { rotated: () => {}, reconnected: () => {}, redone: () => {} }
