import type { Clock } from '../kernel/clock.js'
import { isStop, NightscribeError } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import { EngineHealth } from './engine-health.js'

/** How a watch looks at its engine. Each throws a NightscribeError when the engine fails. */
export interface EngineLooks<Facts> {
  /** All that must be right before a leg is placed, read anew: it may have been restarted. */
  examine(options: { signal: AbortSignal }): Promise<Facts>
  /** One utterance, to its end. */
  warmUp(facts: Facts, options: { signal: AbortSignal }): Promise<void>
  /** Whether it still lives; cheap. */
  check(options: { signal: AbortSignal }): Promise<void>
}

/** What a watch needs. */
export interface EngineMonitorOptions<Facts> {
  looks: EngineLooks<Facts>
  clock: Clock
  random: Random
  /** After every change of state; must not throw. */
  onChange(watch: EngineMonitor<Facts>): void
}

/**
 * Looks at one engine again and again, and keeps its `EngineHealth`. States: those of the health;
 * it looks as long as `run` runs.
 */
export class EngineMonitor<Facts> {
  readonly health: EngineHealth
  /** What it was when it was last examined with success; null before. */
  facts: Facts | null = null
  private readonly options: EngineMonitorOptions<Facts>
  private wake: () => void = () => {}

  constructor(options: EngineMonitorOptions<Facts>) {
    this.options = options
    const { clock, random } = options
    this.health = new EngineHealth(() => random.uniform(), clock.monotonicMs())
  }

  /** Legs may be placed on it. */
  get isUp(): boolean {
    return this.health.state === 'up'
  }

  /** Looks until the signal aborts. @throws its reason; what isn't a NightscribeError */
  async run({ signal }: { signal: AbortSignal }): Promise<never> {
    for (;;) {
      signal.throwIfAborted()
      await this.untilNextLook(signal)
      try {
        if (this.health.state === 'up') await this.lookAgain(signal)
        else await this.bringUp(signal)
      } catch (error) {
        signal.throwIfAborted()
        this.take(error)
      }
    }
  }

  /** A session of it failed: look soon. */
  suspect(): void {
    this.health.suspected(this.nowMs)
    this.wake()
  }

  /** It refused a session as it would refuse everybody: out at once. @param reason a sentence */
  refused(reason: string): void {
    if (!this.isUp) return // whoever tells it had a session of earlier
    this.change(() => this.health.failed(reason, this.nowMs, { certain: true }))
    this.wake()
  }

  /** Nobody hears from it any more, see `SILENT_OUT_MS`. */
  reportSilence(): void {
    this.change(() => this.health.silent(this.nowMs))
    this.wake()
  }

  private get nowMs(): number {
    return this.options.clock.monotonicMs()
  }

  private async untilNextLook(signal: AbortSignal): Promise<void> {
    while (this.nowMs < this.health.nextLookMs) {
      const waking = new AbortController()
      const wake = () => waking.abort()
      signal.addEventListener('abort', wake, { once: true })
      this.wake = wake
      const asleep = this.options.clock.sleepUntil(this.health.nextLookMs, {
        signal: waking.signal,
      })
      await asleep.catch(() => {}) // woken early: what for is looked at right here
      signal.removeEventListener('abort', wake)
      signal.throwIfAborted()
    }
  }

  private async lookAgain(signal: AbortSignal): Promise<void> {
    await this.options.looks.check({ signal })
    // Meanwhile it may have been taken out by its silence, which outweighs what it says.
    if (this.isUp) this.health.answered(this.nowMs)
  }

  private async bringUp(signal: AbortSignal): Promise<void> {
    const { looks } = this.options
    const facts = await looks.examine({ signal })
    this.facts = facts
    this.change(() => this.health.answered(this.nowMs))
    await looks.warmUp(facts, { signal })
    this.change(() => this.health.warmed(this.nowMs))
  }

  private take(error: unknown): void {
    if (!(error instanceof NightscribeError) || isStop(error)) throw error
    // No answer may be the network's fault; any other one is the engine's own.
    const certain = error.code !== 'engine_unavailable'
    this.change(() => this.health.failed(error.message, this.nowMs, { certain }))
  }

  private change(act: () => void): void {
    const { state, reason } = this.health
    act()
    if (this.health.state !== state || this.health.reason !== reason) this.options.onChange(this)
  }
}
