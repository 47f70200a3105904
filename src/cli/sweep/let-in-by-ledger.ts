import { LedgerClient } from '../../admission/ledger/ledger-client.js'
import { SessionPool } from '../../admission/pool/session-pool.js'
import { RedisLedgerStore } from '../../admission/store/redis-ledger-store.js'
import { RedisWorkerHeartbeats } from '../../admission/store/redis-worker-heartbeats.js'
import type { OpenPorts } from '../../app/open-ports.js'
import { planOf } from '../../engines/engine-plan-of.js'
import type { EngineFacts } from '../../engines/read-engine.js'
import { unstopped } from '../../kernel/abort.js'
import { sleepFor } from '../../kernel/clock.js'
import { DEFAULT_TENANT } from '../../kernel/tenant.js'
import { STEP_MS } from '../../model/pcm.js'
import type { CommandContext } from '../command-context.js'
import type { LetIn } from './step-ports.js'

/**
 * How often, in ms, a waiting session asks for admission again and sends this process's heartbeat.
 */
const ASK_AGAIN_MS = 1_000

/**
 * Admits sessions through the ledger that the workers share: each waits until the engine has room.
 */
export function letInByLedger(
  { settings, clock, random }: CommandContext,
  { commands, waiting }: OpenPorts,
  facts: EngineFacts,
): LetIn {
  const engine = facts.address.url
  const store = new RedisLedgerStore(commands)
  const heartbeats = new RedisWorkerHeartbeats(commands)
  const worker = `sweep-${random.hexId(4)}`
  const client = new LedgerClient({ engine, store, clock, random, ...planOf(settings, facts) })
  const { agingMs } = settings.admission
  const pool = new SessionPool({
    ...{ clients: [client], waiting, clock, random, worker, agingMs },
    isUp: () => true,
  })
  return async ({ index, audioMs, pace }, { signal }) => {
    const jobId = `${worker}-${index}`
    const endFrame = Math.ceil(audioMs / STEP_MS)
    const cuts = [{ endFrame, nextFrame: endFrame, kind: 'end' as const }]
    const lanes = [{ pace, fromFrame: 0, cuts, remainingMs: audioMs / pace }]
    const who = { jobId, tenant: DEFAULT_TENANT, name: `Session ${index}` }
    const demand = { ...who, priority: 0, deadlineMs: null, live: false }
    for (;;) {
      await heartbeats.beat(worker, { signal })
      const admission = await pool.admit({ ...demand, lanes }, { signal })
      if (admission.kind === 'waiting') {
        await sleepFor(clock, ASK_AGAIN_MS, { signal })
        continue
      }
      const ended = unstopped()
      return {
        async [Symbol.asyncDispose]() {
          await Promise.all(admission.lanes.map((chain) => chain.end(ended)))
        },
      }
    }
  }
}
