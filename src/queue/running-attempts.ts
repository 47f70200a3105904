import { setMaxListeners } from 'node:events'
import type { StopRequested } from '../kernel/errors.js'
import { LOCK_LOST } from './job-disposition.js'

interface RunningAttempt {
  controller: AbortController
  /** Resolves when it has ended, well or not. */
  over: Promise<void>
}

/**
 * The attempts that this process runs, of each job one at a time. Two states: *taking*; *stopping*,
 * after `abortAll`, in which every further attempt begins aborted.
 *
 * A process that loses a job, because it or Redis stood still, may be the one that is given it
 * next. To everybody else both attempts would be the same worker: the leases that the older one
 * gives back would be those of the newer one, whose sessions would no longer be counted. And
 * BullMQ, which knows locks by their jobs, stops renewing the newer one's when the older one ends.
 * So nothing begins before the older one has ended, and then the job has to be taken again.
 */
export class RunningAttempts {
  private readonly running = new Map<string, RunningAttempt>()
  private stopReason: StopRequested | null = null

  /**
   * Runs an attempt to its end.
   * @returns false where an older one at the same job was running: that one has ended, and this one
   *   has not begun
   * @throws what it throws
   */
  async run(
    jobId: string,
    attempt: (controller: AbortController) => Promise<void>,
  ): Promise<boolean> {
    const older = this.running.get(jobId)
    if (older) {
      // Whoever is given a job has it: the older one's lock has only not been refused yet.
      older.controller.abort(LOCK_LOST)
      await older.over
      return false
    }
    const controller = new AbortController()
    setMaxListeners(0, controller.signal) // its lanes listen, and all engines that it asks
    if (this.stopReason !== null) controller.abort(this.stopReason)
    const running = attempt(controller)
    this.running.set(jobId, { controller, over: running.catch(() => {}) }) // thrown below
    try {
      await running
    } finally {
      this.running.delete(jobId)
    }
    return true
  }

  /** Jobs at which one runs. */
  get jobIds(): string[] {
    return [...this.running.keys()]
  }

  /** Stops the attempt at a job; false where none runs. */
  abort(jobId: string, reason: StopRequested): boolean {
    const found = this.running.get(jobId)
    found?.controller.abort(reason)
    return found !== undefined
  }

  /** Stops all of them, and those that are still to come. */
  abortAll(reason: StopRequested): void {
    this.stopReason = reason
    for (const { controller } of this.running.values()) controller.abort(reason)
  }
}
