/** Bounds, in ms, of what is told: less would be exceeded by the first load, more by none. */
const DELAY_MS_MIN = 4_000
const DELAY_MS_MAX = 24_000
/** How many utterances are remembered. */
const REMEMBERED = 64
/** The load may double before it is told. */
const MARGIN = 2

/**
 * How long utterances take from their end to their words, in ms: the worst of the last 64, with a
 * margin.
 */
export class DecodeDelay {
  readonly #recentMs: number[] = []

  add(ms: number): void {
    this.#recentMs.push(ms)
    if (this.#recentMs.length > REMEMBERED) this.#recentMs.shift()
  }

  get boundMs(): number {
    const worstMs = Math.max(0, ...this.#recentMs) * MARGIN
    return Math.round(Math.min(DELAY_MS_MAX, Math.max(DELAY_MS_MIN, worstMs)))
  }
}
