import { MemoryLedgerStore } from '../../src/admission/store/memory-ledger-store.js'
import { MemoryWaitingList } from '../../src/admission/store/memory-waiting-list.js'
import { MemoryEngineActivity } from '../fakes/memory-engine-activity.js'
import { MemoryWorkerHeartbeats } from '../fakes/memory-worker-heartbeats.js'
import { StepClock } from '../fakes/step-clock.js'
import { ledgerStoreContract } from './ledger-store.js'

ledgerStoreContract('memory', async () => ({
  async fresh() {
    const clock = new StepClock(1_700_000_000_000)
    const stores = {
      ledgers: new MemoryLedgerStore({ clock }),
      waiting: new MemoryWaitingList({ clock }),
      heartbeats: new MemoryWorkerHeartbeats({ clock }),
      activities: new MemoryEngineActivity({ clock }),
    }
    return {
      connect: async () => stores,
      elapse: (durationMs) => clock.advance(durationMs),
    }
  },
  async [Symbol.asyncDispose]() {},
}))
