import type { Redis } from 'ioredis'
import { eitherSignal } from '../src/kernel/abort.js'
import { sleepFor } from '../src/kernel/clock.js'
import { isStop } from '../src/kernel/errors.js'
import type { WorkPorts } from '../src/pipeline/index.js'
import { reconcileJobs } from '../src/pipeline/reconcile-jobs.js'
import type { WorkerEvents } from './events.js'

/** How often storage is compared with the queue. */
const INTERVAL_MS = 10 * 60_000
/**
 * And so long, up to twice that so that not all workers look at once, after Redis is back: it may
 * have lost jobs, and what is on its way comes first. Or after a look that failed.
 */
const SOON_MS = 15_000

/** Looks for what Redis has lost of jobs, until the signal aborts: at the start, and as above. */
export async function keepReconciled(
  work: WorkPorts,
  { redis, events, signal }: { redis: Redis; events: WorkerEvents; signal: AbortSignal },
): Promise<void> {
  // Aborted where the next look is due soon.
  let soon = new AbortController()
  redis.on('ready', () => soon.abort())
  while (!signal.aborted) {
    soon = new AbortController()
    try {
      const onUnreadable = (error: Error) => events.reconcileFailed(error)
      const jobIds = await reconcileJobs(work, { signal, onUnreadable })
      if (jobIds.length > 0) events.reconciled(jobIds)
    } catch (error) {
      if (isStop(error)) return
      events.reconcileFailed(error)
      soon.abort()
    }
    let restMs = INTERVAL_MS
    while (!(await hasRested(restMs, soon.signal))) {
      soon = new AbortController()
      restMs = SOON_MS * (1 + work.random.uniform())
    }
  }

  /** False where the rest was cut short, and not by the stop. */
  async function hasRested(restMs: number, isSoon: AbortSignal): Promise<boolean> {
    using either = eitherSignal(signal, isSoon)
    // Waking by the stop, or by Redis, is the other way to end.
    await sleepFor(work.clock, restMs, either).catch(() => {})
    return signal.aborted || !isSoon.aborted
  }
}
