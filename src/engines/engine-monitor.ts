import type { Clock } from '../kernel/clock.js'
import { isStop, NightscribeError } from '../kernel/errors.js'
import type { Random } from '../kernel/random.js'
import { EngineHealth } from './engine-health.js'

/** The checks of an engine. Each throws a NightscribeError when the engine fails it. */
export interface EngineLooks<Facts> {
  /** Reads all that must be right before a leg is placed: a restart may have changed the engine. */
  examine(options: { signal: AbortSignal }): Promise<Facts>
  /** Has one utterance transcribed, to its end. */
  warmUp(facts: Facts, options: { signal: AbortSignal }): Promise<void>
  /** Asks whether the engine's process still lives; one request. */
  check(options: { signal: AbortSignal }): Promise<void>
}

/** How an engine is examined, warmed up and checked, and who learns of a change. */
export interface EngineMonitorOptions<Facts> {
  looks: EngineLooks<Facts>
  clock: Clock
  random: Random
  /** Called after every change of the health's state or reason; must not throw. */
  onChange(watch: EngineMonitor<Facts>): void
}

/**
 * Checks one engine at the times that its `EngineHealth` sets, and tells the health the outcome.
 * Its states are those of the health; it checks as long as `run` runs.
 */
export class EngineMonitor<Facts> {
  readonly health: EngineHealth
  /** What the last successful `examine` found; null before the first. */
  facts: Facts | null = null
  private readonly options: EngineMonitorOptions<Facts>
  private wake: () => void = () => {}

  constructor(options: EngineMonitorOptions<Facts>) {
    this.options = options
    const { clock, random } = options
    this.health = new EngineHealth(() => random.uniform(), clock.monotonicMs())
  }

  /** Whether legs may be placed on the engine. */
  get isUp(): boolean {
    return this.health.state === 'up'
  }

  /**
   * Checks until the signal aborts.
   * @throws the signal's reason; an error of a check that isn't a NightscribeError
   */
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

  /** A session of the engine failed: the next check is due at once. */
  suspect(): void {
    this.health.suspected(this.nowMs)
    this.wake()
  }

  /**
   * The engine refused a session for a cause that concerns every session, such as a wrong key: it
   * is out at once.
   * @param reason a sentence
   */
  refused(reason: string): void {
    if (!this.isUp) return // the refusal was of a session from before it went out
    this.change(() => this.health.failed(reason, this.nowMs, { certain: true }))
    this.wake()
  }

  /** No session gets a delta from the engine any more, see `SILENT_OUT_MS`. */
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
      await asleep.catch(() => {}) // woken early: the loop checks the clock again
      signal.removeEventListener('abort', wake)
      signal.throwIfAborted()
    }
  }

  private async lookAgain(signal: AbortSignal): Promise<void> {
    await this.options.looks.check({ signal })
    // An engine that was taken out for silence meanwhile stays out: `/health` shows no deadlock.
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
    // A missing answer may be the network's fault; every other failure is the engine's own.
    const certain = error.code !== 'engine_unavailable'
    this.change(() => this.health.failed(error.message, this.nowMs, { certain }))
  }

  private change(act: () => void): void {
    const { state, reason } = this.health
    act()
    if (this.health.state !== state || this.health.reason !== reason) this.options.onChange(this)
  }
}
