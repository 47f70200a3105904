import assert from 'node:assert/strict'

/**
 * Whether legs are placed on an engine, as a state machine without I/O.
 *
 * - `out`: no leg is placed here, and those that it carried go to others. Every engine starts here.
 *   Looked at when `nextLookMs` comes: `answered` (→ warming), or `failed`, after which the next
 *   look is twice as far away, from 1 s to 15 s, less up to a half by chance, so that many workers
 *   don't come at once.
 * - `warming`: it answers what we want to hear, and one utterance is on its way through it: the
 *   first one may take minutes, and `/health` says nothing of an engine that is stuck. Ends with
 *   `warmed` (→ up) or `failed` (→ out).
 * - `up`: legs are placed here. Looked at every 5 s. Ends (→ out) with `failed` that is certain,
 *   with a second `failed` in a row, and with `silent`. An engine that stayed up for a minute is
 *   forgiven what it failed before.
 */
export type EngineState = 'out' | 'warming' | 'up'

/** Between two looks at an engine that is up. */
const LOOK_MS = 5_000
/** Until the second look after a doubtful one, and until the first one at an engine that is out. */
const AGAIN_MS = 1_000
/** A look costs one request; an engine that is up and not looked at costs the night. */
const BACKOFF_MAX_MS = 15_000
/** Up for so long: earlier failures count no more. */
const FORGIVEN_AFTER_MS = 60_000
/** Failures in a row that take an engine out. */
const DOUBTS_MAX = 2

/**
 * Silence of all sessions with frames due after which an engine is taken out: far longer than it
 * takes to free a deadlocked one, which is the gentler cure. `deltaDelayMs` is added.
 */
export const SILENT_OUT_MS = 30_000

/** One engine as it stands; see `EngineState` for what its methods may do when. */
export class EngineHealth {
  state: EngineState = 'out'
  /** Why it is out: one sentence; null in the other states. */
  reason: string | null = 'The engine has not been looked at yet.'
  /** When to look at it next, by the clock of the methods' `nowMs`. */
  nextLookMs: number
  private readonly uniform: () => number
  private failures = 0
  private doubts = 0
  private upSinceMs = 0

  /** @param uniform chance in [0, 1) */
  constructor(uniform: () => number, nowMs: number) {
    this.uniform = uniform
    this.nextLookMs = nowMs
  }

  /** It was looked at, and is there. */
  answered(nowMs: number): void {
    if (this.state === 'out') {
      this.state = 'warming'
      this.reason = null
      return
    }
    assert.equal(this.state, 'up', 'an engine that warms up is not looked at')
    this.doubts = 0
    this.nextLookMs = nowMs + LOOK_MS
    if (nowMs - this.upSinceMs >= FORGIVEN_AFTER_MS) this.failures = 0
  }

  /** Its warm-up utterance came to its end. */
  warmed(nowMs: number): void {
    assert.equal(this.state, 'warming', 'only an engine that warms up becomes warm')
    this.state = 'up'
    this.doubts = 0
    this.upSinceMs = nowMs
    this.nextLookMs = nowMs + LOOK_MS
  }

  /**
   * It wasn't there, wasn't what is wanted, or its warm-up failed.
   * @param certain it said so itself: one word of it is enough
   */
  failed(reason: string, nowMs: number, { certain }: { certain: boolean }): void {
    this.doubts += 1
    if (this.state === 'up' && !certain && this.doubts < DOUBTS_MAX) {
      this.nextLookMs = nowMs + AGAIN_MS
      return
    }
    this.takeOut(reason, nowMs)
  }

  /** No session of anybody hears from it although frames are due, for `SILENT_OUT_MS`. */
  silent(nowMs: number): void {
    if (this.state !== 'up') return // whoever tells it saw sessions of earlier
    this.takeOut('The engine gives no text to anybody, though it says that it is healthy.', nowMs)
  }

  /** Something about it went wrong, such as a session that was cut off: look soon. */
  suspected(nowMs: number): void {
    if (this.state === 'up') this.nextLookMs = Math.min(this.nextLookMs, nowMs)
  }

  private takeOut(reason: string, nowMs: number): void {
    const backoffMs = Math.min(BACKOFF_MAX_MS, AGAIN_MS * 2 ** this.failures)
    this.state = 'out'
    this.reason = reason
    this.failures += 1
    this.doubts = 0
    this.nextLookMs = nowMs + backoffMs * (1 - this.uniform() / 2)
  }
}
