import { join } from 'node:path'
import { type DeadLeases, deadLeases, removeDeadLeases } from '../admission/engine/dead-leases.js'
import { RedisLedgerStore } from '../admission/store/redis-ledger-store.js'
import { RedisWorkerHeartbeats } from '../admission/store/redis-worker-heartbeats.js'
import { withoutCredentials } from '../config/redact.js'
import type { Settings } from '../config/schema.js'
import { deadSpools, removeSpool } from '../media/spool/spool-folders.js'
import type { LeftoverSource } from '../pipeline/housekeeping/clean-up.js'
import type { Leftover } from '../pipeline/housekeeping/housekeeping.js'
import { jobLeftovers, unfinishedPuts } from '../pipeline/housekeeping/storage-leftovers.js'
import { forgottenJobs, removeForgotten } from '../queue/redis-job-index.js'
import type { OpenPorts } from './open-ports.js'

/** The ports that housekeeping needs. */
export type HousekeepingPorts = Pick<OpenPorts, 'store' | 'queue' | 'clock' | 'commands'>

/** Leftovers in storage and Redis, which all hosts share: one host has to look for them. */
export function sharedLeftovers(ports: HousekeepingPorts): LeftoverSource[] {
  return [jobLeftovers(ports), unfinishedPuts(ports), leaseLeftovers(ports), entryLeftovers(ports)]
}

/** Spool folders of dead workers on this host's disk. */
export function spoolLeftovers(
  settings: Pick<Settings, 'stateDir'>,
  { clock }: Pick<HousekeepingPorts, 'clock'>,
): LeftoverSource<Leftover & { path: string }> {
  return {
    async *find({ signal }) {
      const nowMs = clock.wallMs()
      const spools = await deadSpools(join(settings.stateDir, 'spool'), { nowMs, signal })
      for (const { path, isLocal, files, bytes, touchedMs } of spools) {
        const why = isLocal ? 'its worker is gone' : 'no worker has touched it for a day'
        const ageMs = Math.max(0, nowMs - touchedMs)
        yield { kind: 'spool', name: path, why, items: Math.max(1, files), bytes, ageMs, path }
      }
    },
    remove: (spool) => removeSpool(spool),
  }
}

/**
 * Leases of dead workers. They don't expire, unlike heartbeats, activity and queue entries in
 * Redis: a lease stands for a session that the engine may still hold.
 */
function leaseLeftovers({
  commands,
}: HousekeepingPorts): LeftoverSource<Leftover & { leases: DeadLeases }> {
  const store = new RedisLedgerStore(commands)
  const leasePorts = { ledgers: store, heartbeats: new RedisWorkerHeartbeats(commands) }
  return {
    async *find(options) {
      for (const engine of await store.engines(options)) {
        for (const leases of await deadLeases(leasePorts, engine, options)) {
          const name = `${leases.worker} at ${withoutCredentials(engine)}`
          const why = 'its worker is gone'
          const size = { items: leases.chains, bytes: null, ageMs: null }
          yield { kind: 'lease', name, why, ...size, leases }
        }
      }
    },
    remove: ({ leases }, options) => removeDeadLeases(leasePorts, leases, options),
  }
}

function entryLeftovers({
  commands,
  clock,
}: HousekeepingPorts): LeftoverSource<Leftover & { jobId: string; tenant: string }> {
  return {
    async *find(options) {
      for await (const job of forgottenJobs(commands, options)) {
        const { jobId, tenant, createdMs } = job
        const ageMs = clock.wallMs() - createdMs
        const size = { items: 1, bytes: null, ageMs }
        yield { kind: 'entry', name: jobId, why: 'its record has expired', ...size, jobId, tenant }
      }
    },
    remove: (job, options) => removeForgotten(commands, job, options),
  }
}
