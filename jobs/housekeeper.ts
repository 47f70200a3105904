import {
  type HousekeepingPorts,
  sharedLeftovers,
  spoolLeftovers,
} from '../src/app/leftover-sources.js'
import type { Settings } from '../src/config/schema.js'
import { sleepFor } from '../src/kernel/clock.js'
import { isStop } from '../src/kernel/errors.js'
import { cleanUp } from '../src/pipeline/housekeeping/clean-up.js'
import { tryLock } from '../src/redis/redis-lock.js'
import type { WorkerEvents } from './events.js'

/** After the start, when a worker has better things to do. */
const FIRST_LOOK_MS = 60_000
/** Share of the interval that the lock is held: at 1 the next look would find it still held. */
const LOCK_SHARE = 0.9

/**
 * Removes leftovers again and again until the signal aborts: each worker those on its own disk, one
 * worker at a time those that all see. What fails is told, and found again the next time.
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
    // Waking by the stop is the other way to end.
    await sleepFor(clock, waitMs, { signal }).catch(() => {})
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
