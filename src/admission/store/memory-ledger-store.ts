import type { Clock } from '../../kernel/clock.js'
import type { LedgerReading, LedgerStore } from '../index.js'
import { EMPTY_LEDGER, type Ledger } from '../ledger/ledger.js'

/**
 * The ledgers of one process, on its clock, for simulations and forecasts. A read returns the
 * object that was written, not a copy.
 */
export class MemoryLedgerStore implements LedgerStore {
  private readonly clock: Clock
  private readonly ledgers = new Map<string, { ledger: Ledger; revision: number }>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async read(engine: string, { signal }: { signal: AbortSignal }): Promise<LedgerReading> {
    signal.throwIfAborted()
    const { ledger, revision } = this.ledgers.get(engine) ?? { ledger: EMPTY_LEDGER, revision: 0 }
    return { ledger, revision, nowMs: this.clock.wallMs() }
  }

  async write(
    engine: string,
    ledger: Ledger,
    { revision, signal }: { revision: number; signal: AbortSignal },
  ): Promise<number | null> {
    signal.throwIfAborted()
    if ((this.ledgers.get(engine)?.revision ?? 0) !== revision) return null
    this.ledgers.set(engine, { ledger, revision: revision + 1 })
    return revision + 1
  }
}
