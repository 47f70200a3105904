import type { LedgerReading, LedgerStore } from '../admission/index.js'
import { type Chain, EMPTY_LEDGER, type Ledger } from '../admission/ledger/ledger.js'
import { type EnginePlan, frameMsOf, heldMs } from '../admission/load/engine-plan.js'
import type { Clock } from '../kernel/clock.js'

interface StoredLedger {
  ledger: Ledger
  revision: number
  /** When it was written: a later read computes how far its lanes have come since. */
  writtenMs: number
}

/**
 * The ledgers of a forecast, in which every admitted lane advances with the clock: a read gives the
 * ledger as it would be by now had nothing gone wrong. So no leg has to be simulated, and a job
 * makes two writes: the one that admits it and the one that ends it.
 */
export class NightLedgers implements LedgerStore {
  private readonly clock: Clock
  private readonly plans: ReadonlyMap<string, EnginePlan>
  private readonly ledgers = new Map<string, StoredLedger>()

  /** @param options.plans by the engine's id */
  constructor(options: { clock: Clock; plans: ReadonlyMap<string, EnginePlan> }) {
    this.clock = options.clock
    this.plans = options.plans
  }

  async read(engine: string, { signal }: { signal: AbortSignal }): Promise<LedgerReading> {
    signal.throwIfAborted()
    const nowMs = this.clock.wallMs()
    const stored = this.ledgers.get(engine)
    const plan = this.plans.get(engine)
    if (!stored || !plan) return { ledger: EMPTY_LEDGER, revision: 0, nowMs }
    const { ledger, revision, writtenMs } = stored
    const chains = ledger.chains.map((chain) => chainAt(chain, plan, { writtenMs, nowMs }))
    return { ledger: { ...ledger, chains }, revision, nowMs }
  }

  async write(
    engine: string,
    ledger: Ledger,
    { revision, signal }: { revision: number; signal: AbortSignal },
  ): Promise<number | null> {
    signal.throwIfAborted()
    if ((this.ledgers.get(engine)?.revision ?? 0) !== revision) return null
    const writtenMs = this.clock.wallMs()
    this.ledgers.set(engine, { ledger, revision: revision + 1, writtenMs })
    return revision + 1
  }
}

/**
 * The state of a chain at a moment, had its lane run as planned since it was written. Pure. Planned
 * legs open and end at their times. A lane of the policy `elastic` plans its legs again and again,
 * to leave room for others, so all its remaining audio counts with an average.
 */
export function chainAt(
  chain: Chain,
  plan: EnginePlan,
  { writtenMs, nowMs }: { writtenMs: number; nowMs: number },
): Chain {
  const frameMs = frameMsOf(chain.pace)
  const last = chain.legs.at(-1)
  const plannedUntilMs = last ? last.startMs + last.frames * frameMs : writtenMs
  const restFromMs = Math.max(writtenMs, plannedUntilMs)
  if (plan.policy === 'elastic') {
    const leftMs = restFromMs + chain.restFrames * frameMs - nowMs
    return { ...chain, legs: [], restFrames: Math.max(0, Math.ceil(leftMs / frameMs)) }
  }
  const legs = chain.legs
    .filter((leg) => leg.startMs + heldMs(plan, leg.frames, chain.pace) > nowMs)
    .map((leg) => (leg.open || leg.openMs > nowMs ? leg : { ...leg, open: true }))
  const restMs = Math.max(0, nowMs - restFromMs)
  const restFrames = Math.max(0, chain.restFrames - Math.floor(restMs / frameMs))
  return { ...chain, legs, restFrames }
}
