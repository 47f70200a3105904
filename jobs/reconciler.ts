import { eitherSignal } from '../src/kernel/abort.js'
import { sleepFor } from '../src/kernel/clock.js'
import { isStop } from '../src/kernel/errors.js'
import type { IntakePorts, WorkPorts } from '../src/pipeline/index.js'
import { reconcileJobs } from '../src/pipeline/lifecycle/reconcile-jobs.js'
import type { RedisCommands } from '../src/redis/redis-commands.js'
import { tryLock } from '../src/redis/redis-lock.js'
import type { WorkerEvents } from './events.js'

/** How often storage is compared with the queue. */
const INTERVAL_MS = 10 * 60_000
/**
 * Wait of 15 s to 30 s after Redis is back: it may have lost jobs, and what is on its way
 * comes first. Or after a look that failed, or that was another worker's.
 */
const SOON_MS = 15_000

/**
 * Looks for what Redis has lost of jobs, until the signal aborts: at the start, and as above. Two
 * workers don't begin at once: both would start the same job.
 */
export async function runReconciler(
  work: IntakePorts & Pick<WorkPorts, 'random'>,
  options: { commands: RedisCommands; events: WorkerEvents; signal: AbortSignal },
): Promise<void> {
  const { commands, events, signal } = options
  // Aborted where the next look is due soon.
  let soon = new AbortController()
  commands.redis.on('ready', () => soon.abort())
  while (!signal.aborted) {
    soon = new AbortController()
    try {
      if (await tryLock(commands, ['reconcile'], { holdMs: SOON_MS, signal })) {
        const onUnreadable = (error: Error) => events.reconcileFailed(error)
        const jobIds = await reconcileJobs(work, { signal, onUnreadable })
        if (jobIds.length > 0) events.reconciled(jobIds)
      } else {
        soon.abort()
      }
    } catch (error) {
      if (signal.aborted || isStop(error)) return
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
