import { MemoryEnginePulses } from '../../src/admission/memory-engine-pulses.js'
import { MemoryLedgerStore } from '../../src/admission/memory-ledger-store.js'
import { MemorySignsOfLife } from '../../src/admission/memory-signs-of-life.js'
import { MemoryWaitingList } from '../../src/admission/memory-waiting-list.js'
import { StepClock } from '../fakes/step-clock.js'
import { ledgerStoreContract } from './ledger-store.js'

ledgerStoreContract('memory', async () => ({
  async fresh() {
    const clock = new StepClock(1_700_000_000_000)
    const stores = {
      ledgers: new MemoryLedgerStore({ clock }),
      waiting: new MemoryWaitingList({ clock }),
      signs: new MemorySignsOfLife({ clock }),
      pulses: new MemoryEnginePulses({ clock }),
    }
    return {
      connect: async () => stores,
      elapse: (durationMs) => clock.advance(durationMs),
    }
  },
  async [Symbol.asyncDispose]() {},
}))
