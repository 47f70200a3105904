import type { LedgerStore, WorkerHeartbeats } from '../index.js'
import type { Ledger } from '../ledger/ledger.js'
import { withoutWorkers } from '../ledger/ledger-changes.js'

/** Chains that a dead worker has left in the ledger of one engine. */
export interface DeadLeases {
  engine: string
  worker: string
  chains: number
}

/** The ledgers and heartbeats in which dead leases are looked for. */
export interface LeasePorts {
  ledgers: LedgerStore
  heartbeats: WorkerHeartbeats
}

/**
 * Finds chains of workers whose heartbeat has expired. The controllers of living workers remove
 * them from the ledgers of their own engines; this is for engines that no worker has in its
 * settings any more.
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
 * Removes the chains of a dead worker from a ledger. Where another write comes first they stay
 * until the next time, and where the worker has a heartbeat again they stay.
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
