import { type Clock, sleepFor } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'

/** Rings once, unless it is set anew or canceled before. */
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

  /** Rings so long from now, and not when it was set to before. */
  set(delayMs: number): void {
    this.cancel()
    const armed = new AbortController()
    this.armed = armed
    const ring = () => {
      if (this.armed !== armed) return
      this.armed = null
      this.onRing()
    }
    sleepFor(this.clock, delayMs, armed).then(ring, () => {}) // it was canceled
  }

  cancel(): void {
    this.armed?.abort(new StopRequested('canceled', 'An alarm of the stand-in was canceled.'))
    this.armed = null
  }
}
