import type { Clock } from '../../src/kernel/clock.js'

/** When a process stands still. */
export interface Hang {
  fromMs: number
  untilMs: number
}

/** The clock of a process that hangs now and then: nobody in it wakes before it goes on. */
export class HangingClock implements Clock {
  private readonly clock: Clock
  private readonly hangs: readonly Hang[]

  constructor(clock: Clock, hangs: readonly Hang[]) {
    this.clock = clock
    this.hangs = hangs
  }

  monotonicMs(): number {
    return this.clock.monotonicMs()
  }

  wallMs(): number {
    return this.clock.wallMs()
  }

  async sleepUntil(dueMs: number, options: { signal: AbortSignal }): Promise<void> {
    await this.clock.sleepUntil(dueMs, options)
    const nowMs = this.clock.monotonicMs()
    const hang = this.hangs.find(({ fromMs, untilMs }) => nowMs >= fromMs && nowMs < untilMs)
    if (hang) await this.clock.sleepUntil(hang.untilMs, options)
  }
}
