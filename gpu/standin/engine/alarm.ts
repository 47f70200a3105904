import { type Clock, sleepFor } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'

/** A timer that rings once, unless it is set again or canceled before. */
export class Alarm {
  private readonly clock: Clock
  private readonly onRing: () => void
  private armed: AbortController | null = null

  constructor(clock: Clock, onRing: () => void) {
    this.clock = clock
    this.onRing = onRing
  }

  get isSet(): boolean {
    return this.armed !== null
  }

  /** Rings `delayMs` from now; an earlier setting no longer counts. */
  set(delayMs: number): void {
    this.cancel()
    const armed = new AbortController()
    this.armed = armed
    const ring = () => {
      if (this.armed !== armed) return
      this.armed = null
      this.onRing()
    }
    sleepFor(this.clock, delayMs, armed).then(ring, () => {}) // rejects when canceled
  }

  cancel(): void {
    this.armed?.abort(new StopRequested('canceled', 'An alarm of the stand-in was canceled.'))
    this.armed = null
  }
}
