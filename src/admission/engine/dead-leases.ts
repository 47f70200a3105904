import type { LedgerStore, WorkerHeartbeats } from '../index.js'
import type { Ledger } from '../ledger/ledger.js'
import { withoutWorkers } from '../ledger/ledger-changes.js'

/** Chains that a dead worker has left in the ledger of one engine. */
export interface DeadLeases {
  engine: string
  worker: string
  chains: number
}

/** What looking for them needs. */
export interface LeasePorts {
  ledgers: LedgerStore
  heartbeats: WorkerHeartbeats
}

/**
 * Chains of workers whose last sign of life has expired. The keepers of living workers take
 * them out of the ledgers of their own engines; here are those that nobody keeps any more.
 * @throws UpstreamError `queue_unavailable`; the signal's reason
 */
export async function deadLeases(
  { ledgers, heartbeats }: LeasePorts,
  engine: string,
  options: { signal: AbortSignal },
): Promise<DeadLeases[]> {
  const { ledger } = await ledgers.read(engine, options)
  const workers = [...new Set(ledger.chains.map(({ worker }) => worker))]
  if (workers.length === 0) return []
  const ages = await heartbeats.ages(workers, options)
  const dead = workers.filter((worker) => (ages.get(worker) ?? null) === null)
  return dead.map((worker) => ({ engine, worker, chains: chainsOf(ledger, worker) }))
}

/**
 * Takes them out. Where somebody else writes first, or the worker gives a sign again, it is
 * left for the next time.
 */
export async function removeDeadLeases(
  { ledgers, heartbeats }: LeasePorts,
  { engine, worker }: DeadLeases,
  options: { signal: AbortSignal },
): Promise<void> {
  const { ledger, revision } = await ledgers.read(engine, options)
  if (chainsOf(ledger, worker) === 0) return
  const ages = await heartbeats.ages([worker], options)
  if ((ages.get(worker) ?? null) !== null) return
  const left = withoutWorkers(ledger, new Set([worker]))
  await ledgers.write(engine, left, { revision, ...options })
}

function chainsOf(ledger: Ledger, worker: string): number {
  return ledger.chains.filter((chain) => chain.worker === worker).length
}
