import type { LedgerReading, LedgerStore } from '../../src/admission/index.js'
import type { Ledger } from '../../src/admission/ledger/ledger.js'
import { leasesOf } from '../../src/admission/ledger/ledger-changes.js'
import type { EnginePlan } from '../../src/admission/load/engine-plan.js'
import { hasLateLeases, releaseMs } from '../../src/admission/load/lease-times.js'
import { staysWithin } from '../../src/admission/load/leases-fit.js'
import { loadOf } from '../../src/admission/load/ledger-load.js'
import type { Clock } from '../../src/kernel/clock.js'
import { UpstreamError } from '../../src/kernel/errors.js'

/** A time in which the store doesn't answer. */
export interface Outage {
  fromMs: number
  untilMs: number
}

/** Step times rise all the while: by how much cells of another length may tell them apart. */
const STEP_TOLERANCE = 1.01
const FINE_CELL_MS = 25

/**
 * One worker's way to the ledgers. Nothing passes in an outage, or once the worker is dead. Looks
 * at everything that is written: while nobody is late, all that is held must fit to its release.
 */
export class WatchedStore implements LedgerStore {
  private readonly parts: {
    store: LedgerStore
    clock: Clock
    plans: ReadonlyMap<string, EnginePlan>
    outages: readonly Outage[]
    killed: AbortSignal
    onOverbooked(sentence: string): void
    onWritten(ledger: Ledger): void
  }

  constructor(parts: WatchedStore['parts']) {
    this.parts = parts
  }

  async read(engine: string, options: { signal: AbortSignal }): Promise<LedgerReading> {
    this.requireUp()
    return await this.parts.store.read(engine, options)
  }

  async write(
    engine: string,
    ledger: Ledger,
    options: { revision: number; signal: AbortSignal },
  ): Promise<number | null> {
    this.requireUp()
    const written = await this.parts.store.write(engine, ledger, options)
    if (written !== null) {
      this.check(engine, ledger)
      this.parts.onWritten(ledger)
    }
    return written
  }

  private requireUp(): void {
    const { clock, outages, killed } = this.parts
    const nowMs = clock.monotonicMs()
    const isOut = outages.some(({ fromMs, untilMs }) => nowMs >= fromMs && nowMs < untilMs)
    if (!isOut && !killed.aborted) return
    throw new UpstreamError('queue_unavailable', 'The store is out.', { effect: 'none' })
  }

  private check(engine: string, ledger: Ledger): void {
    const { plans, clock, onOverbooked } = this.parts
    const plan = plans.get(engine)
    if (!plan || !isOverbooked(plan, ledger, clock.wallMs())) return
    onOverbooked(`the ledger of ${engine} has more open than fits`)
  }
}

/** Whether a ledger in which nobody is late has more open than fits until all is released. */
export function isOverbooked(plan: EnginePlan, ledger: Ledger, nowMs: number): boolean {
  if (plan.policy === 'fixed' || hasLateLeases(plan, ledger, nowMs)) return false
  const leases = leasesOf(ledger)
  const ends = leases.map(({ chain, leg }) => releaseMs(plan, leg, chain.pace, nowMs))
  const horizonMs = Math.max(nowMs, ...ends) - nowMs + 1_000
  const { limits } = plan
  const allowed = { ...plan, limits: { ...limits, stepMs: limits.stepMs * STEP_TOLERANCE } }
  const fits = (slotMs: number) => {
    const scope = { nowMs, horizonMs, slotMs, openOnly: true }
    return staysWithin(allowed, loadOf(plan, ledger, scope))
  }
  // No sum is too small, but a coarse one may be too large: the fine one, which costs, decides.
  return !fits(Math.max(FINE_CELL_MS, horizonMs / 4_000)) && !fits(FINE_CELL_MS)
}
