/**
 * Hears what happens at the sessions of all jobs of a process; metrics are made of it. Called as it
 * happens: must not throw or wait.
 */
export interface WorkTally {
  /** One leg was followed by the next of its lane. */
  rotated(): void
  /** A session failed and what it had not made safe is carried again. */
  reconnected(): void
  /** So much audio had been sent and is sent again: what lay behind the last safe cut. */
  redone(audioMs: number): void
}

/** Where nobody listens. */
export const NO_TALLY: WorkTally = { rotated: () => {}, reconnected: () => {}, redone: () => {} }
