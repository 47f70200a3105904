import pLimit from 'p-limit'
import { orAbort } from '../kernel/abort.js'
import { ConfigError } from '../kernel/errors.js'
import type { SessionGate, SessionLease } from './index.js'

/**
 * The policy `fixed`: so many sessions an engine, whatever they hold. First come, first served; a
 * demand for several sessions is granted whole.
 *
 * Two limits: `turn` lets one demand at a time collect seats, so that two demands can't each hold
 * half of what they need; `seats` counts the sessions. A waiter that aborts gives back what it has
 * collected and lets the next one in.
 */
export class FixedGate implements SessionGate {
  private readonly turn = pLimit(1)
  private readonly seats: ReturnType<typeof pLimit>
  private readonly held: number[]
  private readonly seatsMax: number

  /** @param options.engines how many engines there are; each carries `sessionsMax` */
  constructor(options: { engines: number; sessionsMax: number }) {
    this.seatsMax = options.engines * options.sessionsMax
    this.seats = pLimit(this.seatsMax)
    this.held = new Array<number>(options.engines).fill(0)
  }

  get running(): number {
    return this.held.reduce((sum, count) => sum + count, 0)
  }

  async acquire(
    demand: { jobId: string; sessions: number },
    { signal }: { signal: AbortSignal },
  ): Promise<SessionLease> {
    if (demand.sessions > this.seatsMax) {
      throw new ConfigError(
        'config_invalid',
        `The recording needs ${demand.sessions} sessions at once, but engine.sessionsMax allows ${this.seatsMax}.`,
        { facts: { jobId: demand.jobId, sessions: demand.sessions } },
      )
    }
    const granted = this.turn(() => this.collect(demand.sessions, signal))
    granted.then(
      (lease) => {
        if (signal.aborted) lease[Symbol.dispose]() // nobody takes it any more
      },
      () => {}, // told to whoever waits below
    )
    // Not only in its turn: whoever stops waiting shall not wait for those in front.
    return await orAbort(granted, signal)
  }

  private async collect(sessions: number, signal: AbortSignal): Promise<SessionLease> {
    const releases: (() => void)[] = []
    try {
      while (releases.length < sessions) releases.push(await this.takeSeat(signal))
    } catch (error) {
      for (const release of releases) release()
      throw error
    }
    return this.lease(releases)
  }

  /** Occupies one place of `seats` until the returned function is called. */
  private async takeSeat(signal: AbortSignal): Promise<() => void> {
    let release: () => void = () => {}
    let abandoned = false
    const occupied = new Promise<void>((resolve) => {
      release = resolve
    })
    const seated = new Promise<void>((resolve, reject) => {
      this.seats(() => {
        if (abandoned) return undefined // its waiter is gone: the place is free again at once
        resolve()
        return occupied
      }).catch(reject)
    })
    try {
      await orAbort(seated, signal)
    } catch (error) {
      abandoned = true
      release()
      throw error
    }
    return release
  }

  private lease(releases: (() => void)[]): SessionLease {
    const engines = releases.map(() => this.emptiest())
    let open = true
    return {
      engines,
      [Symbol.dispose]: () => {
        if (!open) return
        open = false
        for (const engine of engines) this.held[engine] = (this.held[engine] ?? 1) - 1
        for (const release of releases) release()
      },
    }
  }

  private emptiest(): number {
    const least = this.held.indexOf(Math.min(...this.held))
    this.held[least] = (this.held[least] ?? 0) + 1
    return least
  }
}
