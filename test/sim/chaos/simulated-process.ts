import { setMaxListeners } from 'node:events'
import type { Clock } from '../../../src/kernel/clock.js'
import { StopRequested } from '../../../src/kernel/errors.js'
import type { SimulatedClock } from '../../../src/kernel/simulated-clock.js'

/** How a process that is gone was ended. */
export type Death = 'killed' | 'vanished' | 'left'

/** What the parts of a dead process fail with: nothing that they do has any effect. */
export const DEAD = new StopRequested('internal', 'The process is dead.')

/**
 * One process of a simulated night. *Running*; *frozen*, in which none of its code runs, and of a
 * suspended host its clock stands still as well; *dead*. All that it does to the world goes
 * `through` it, and all that it waits for sleeps on its clock, so that a frozen one does nothing
 * before it goes on, and a dead one nothing at all.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  death: Death | null = null
  private readonly time: SimulatedClock
  /** Its monotonic clock began elsewhere. */
  private readonly epochMs: number
  private readonly dying = new AbortController()
  private readonly freezing = new Set<(untilMs: number) => void>()
  private frozenUntilMs = Number.NEGATIVE_INFINITY
  private readonly standstills: { fromMs: number; untilMs: number }[] = []

  constructor(name: string, time: SimulatedClock, epochMs: number) {
    this.name = name
    this.time = time
    this.epochMs = epochMs
    setMaxListeners(0, this.dying.signal)
    this.clock = {
      monotonicMs: () => this.monotonicMs(),
      wallMs: () => time.wallMs(),
      sleepUntil: (dueMs, options) => this.sleepUntil(dueMs, options),
    }
  }

  /** Aborts when it dies. */
  get dead(): AbortSignal {
    return this.dying.signal
  }

  get isFrozen(): boolean {
    return this.time.monotonicMs() < this.frozenUntilMs
  }

  /** Whether it ever stood still. */
  get hasFrozen(): boolean {
    return this.frozenUntilMs !== Number.NEGATIVE_INFINITY
  }

  /** None of its code runs until then. @param isSuspended its clock stands still meanwhile */
  freeze(untilMs: number, { isSuspended }: { isSuspended: boolean }): void {
    const fromMs = this.time.monotonicMs()
    if (this.dead.aborted || untilMs <= this.frozenUntilMs) return
    const sinceMs = Math.max(fromMs, this.frozenUntilMs)
    if (isSuspended) this.standstills.push({ fromMs: sinceMs, untilMs })
    this.frozenUntilMs = untilMs
    for (const listener of this.freezing) listener(untilMs)
  }

  /** Calls back when it freezes. @returns takes that back */
  onFreeze(listener: (untilMs: number) => void): () => void {
    this.freezing.add(listener)
    return () => this.freezing.delete(listener)
  }

  die(death: Death): void {
    if (this.death !== null) return
    this.death = death
    this.dying.abort(DEAD)
  }

  /** Resolves when its code runs. @throws DEAD */
  async awake(): Promise<void> {
    while (this.isFrozen) await this.time.sleepUntil(this.frozenUntilMs, { signal: this.dead })
    this.dead.throwIfAborted()
  }

  /** Does something to the world: not while it is frozen, and a frozen one hears nothing of it. */
  async through<T>(call: () => Promise<T>): Promise<T> {
    await this.awake()
    try {
      return await call()
    } finally {
      await this.awake()
    }
  }

  private monotonicMs(): number {
    const nowMs = this.time.monotonicMs()
    const stoodMs = this.standstills.reduce((sum, { fromMs, untilMs }) => {
      return sum + Math.max(0, Math.min(nowMs, untilMs) - fromMs)
    }, 0)
    return this.epochMs + nowMs - stoodMs
  }

  private async sleepUntil(dueMs: number, options: { signal: AbortSignal }): Promise<void> {
    options.signal.throwIfAborted()
    for (;;) {
      const leftMs = dueMs - this.monotonicMs()
      const nowMs = this.time.monotonicMs()
      if (this.isFrozen) await this.time.sleepUntil(this.frozenUntilMs, options)
      else if (leftMs <= 0) return
      // Never shorter than what the clock can tell apart.
      else await this.time.sleepUntil(nowMs + Math.max(leftMs, 1e-6), options)
    }
  }
}
