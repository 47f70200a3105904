import { eitherSignal } from '../src/kernel/abort.js'
import { pauseFor } from '../src/kernel/clock.js'
import { isStop } from '../src/kernel/errors.js'
import type { IntakePorts, WorkPorts } from '../src/pipeline/index.js'
import { reconcileJobs } from '../src/pipeline/lifecycle/reconcile-jobs.js'
import type { RedisCommands } from '../src/redis/redis-commands.js'
import { tryLock } from '../src/redis/redis-lock.js'
import type { WorkerEvents } from './events.js'

/** Interval at which storage is compared with the queue, in ms: 10 min. */
const INTERVAL_MS = 10 * 60_000
/**
 * Wait, in ms, of which up to twice is used, after Redis is back: it may have lost jobs, and
 * running jobs write to it first. Also used after a run that failed, or while another worker has
 * the lock.
 */
const SOON_MS = 15_000

/**
 * Queues jobs again that Redis has lost, until the signal aborts: at the start, every 10 min, and
 * 15 to 30 s after Redis is back. A lock keeps two workers from doing it at the same time: both
 * would start the same job.
 */
export async function runReconciler(
  work: IntakePorts & Pick<WorkPorts, 'random'>,
  options: { commands: RedisCommands; events: WorkerEvents; signal: AbortSignal },
): Promise<void> {
  const { commands, events, signal } = options
  // Aborted when the next run is due after 15 to 30 s instead of 10 min.
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

  /** False where the pause was ended early by `isSoon`, and not by the stop. */
  async function hasRested(restMs: number, isSoon: AbortSignal): Promise<boolean> {
    using either = eitherSignal(signal, isSoon)
    await pauseFor(work.clock, restMs, either)
    return signal.aborted || !isSoon.aborted
  }
}
