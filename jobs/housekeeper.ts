import {
  type HousekeepingPorts,
  sharedLeftovers,
  spoolLeftovers,
} from '../src/app/leftover-sources.js'
import type { Settings } from '../src/config/schema.js'
import { pauseFor } from '../src/kernel/clock.js'
import { isStop } from '../src/kernel/errors.js'
import { cleanUp } from '../src/pipeline/housekeeping/clean-up.js'
import { tryLock } from '../src/redis/redis-lock.js'
import type { WorkerEvents } from './events.js'

/** Wait before the first run, in ms: a worker that starts takes jobs first. */
const FIRST_LOOK_MS = 60_000
/** Share of the interval that the lock is held: held longer, it would block the next run. */
const LOCK_SHARE = 0.9

/**
 * Removes leftovers at every interval until the signal aborts: each worker those on its own disk,
 * and the worker that holds the lock also those in storage and Redis. A failure is reported, and
 * the next run finds the same leftover again.
 */
export async function runHousekeeping(
  settings: Settings,
  ports: HousekeepingPorts,
  events: WorkerEvents,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { intervalMs } = settings.housekeeping
  if (intervalMs === null) return
  const { clock } = ports
  let waitMs = Math.min(FIRST_LOOK_MS, intervalMs)
  for (;;) {
    await pauseFor(clock, waitMs, { signal })
    if (signal.aborted) return
    waitMs = intervalMs
    try {
      await look(settings, ports, events, { intervalMs, signal })
    } catch (error) {
      if (signal.aborted || isStop(error)) return
      events.cleaningFailed(error)
    }
  }
}

async function look(
  settings: Settings,
  ports: HousekeepingPorts,
  events: WorkerEvents,
  { intervalMs, signal }: { intervalMs: number; signal: AbortSignal },
): Promise<void> {
  const own = spoolLeftovers(settings, ports)
  const holdMs = intervalMs * LOCK_SHARE
  const hasLock = await tryLock(ports.commands, ['housekeeping'], { holdMs, signal })
  const sources = hasLock ? [own, ...sharedLeftovers(ports)] : [own]
  const report = await cleanUp(sources, {
    dryRun: false,
    itemsMax: settings.housekeeping.removalsMax,
    onLeftover: () => {},
    signal,
  })
  events.cleaned(report)
}
