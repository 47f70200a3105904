import assert from 'node:assert/strict'

/**
 * Whether legs are placed on an engine, as a state machine without I/O.
 *
 * - `out`: no leg is placed here, and the legs that ran here move to other engines. Every engine
 *   starts in this state. It is checked when `nextLookMs` comes: `answered` (→ warming), or
 *   `failed`, which doubles the time to the next check, from 1 s to 15 s. Up to a half of that time
 *   is taken off by chance, so that many workers don't ask in the same moment.
 * - `warming`: it answers what the settings expect, and one utterance is being transcribed. The
 *   first utterance may take minutes, and `/health` doesn't show that an engine is stuck. Ends with
 *   `warmed` (→ up) or `failed` (→ out).
 * - `up`: legs are placed here. It is checked every 5 s. Ends (→ out) with a `failed` that is
 *   certain, with a second `failed` in a row, and with `silent`. After a minute up, earlier
 *   failures no longer lengthen the time between checks.
 */
export type EngineState = 'out' | 'warming' | 'up'

/** Time between two checks of an engine that is up. */
const LOOK_MS = 5_000
/** Time to the second check after a failed one, and to the first check of an engine that is out. */
const AGAIN_MS = 1_000
/** Longest time between two checks of an engine that is out: back up, it is used within 15 s. */
const BACKOFF_MAX_MS = 15_000
/** After this time up, in ms, earlier failures no longer lengthen the time between checks. */
const FORGIVEN_AFTER_MS = 60_000
/** Failed checks in a row that take an engine out. */
const DOUBTS_MAX = 2

/**
 * An engine is taken out after all sessions with frames due got no delta for 30 s. Evicting
 * sessions of a deadlocked engine takes far less, and is the milder cure: it comes first.
 */
export const SILENT_OUT_MS = 30_000

/** The health of one engine; `EngineState` says which method is for which state. */
export class EngineHealth {
  state: EngineState = 'out'
  /** Why the engine is out: one sentence; null in the other states. */
  reason: string | null = 'The engine has not been looked at yet.'
  /** When to check the engine next, by the clock of the methods' `nowMs`. */
  nextLookMs: number
  private readonly uniform: () => number
  private failures = 0
  private doubts = 0
  private upSinceMs = 0

  /** @param uniform random numbers in [0, 1), which spread the checks of several workers in time */
  constructor(uniform: () => number, nowMs: number) {
    this.uniform = uniform
    this.nextLookMs = nowMs
  }

  /** The engine passed a check. */
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

  /** The engine transcribed its warm-up utterance to the end. */
  warmed(nowMs: number): void {
    assert.equal(this.state, 'warming', 'only an engine that warms up becomes warm')
    this.state = 'up'
    this.doubts = 0
    this.upSinceMs = nowMs
    this.nextLookMs = nowMs + LOOK_MS
  }

  /**
   * The engine didn't answer, isn't the one that the settings describe, or failed its warm-up.
   * @param certain the engine's own answer says so: one failure takes it out, without a second
   */
  failed(reason: string, nowMs: number, { certain }: { certain: boolean }): void {
    this.doubts += 1
    if (this.state === 'up' && !certain && this.doubts < DOUBTS_MAX) {
      this.nextLookMs = nowMs + AGAIN_MS
      return
    }
    this.takeOut(reason, nowMs)
  }

  /** No session of any worker got a delta for `SILENT_OUT_MS` although frames were due. */
  silent(nowMs: number): void {
    if (this.state !== 'up') return // the silence was of sessions from before it went out
    this.takeOut(
      'The engine gives no text to any session, though it says that it is healthy.',
      nowMs,
    )
  }

  /** Something went wrong, such as a session that was cut off: the next check is due at once. */
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
