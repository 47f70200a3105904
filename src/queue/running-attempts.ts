import { setMaxListeners } from 'node:events'
import type { StopRequested } from '../kernel/errors.js'
import { LOCK_LOST } from './job-disposition.js'

interface RunningAttempt {
  controller: AbortController
  /** Resolves when the attempt has ended, with or without an error. */
  over: Promise<void>
}

/**
 * The attempts that this process runs, of each job one at a time. Two states: *taking*; *stopping*,
 * after `abortAll`, in which every further attempt begins aborted.
 *
 * A process that loses a job, because it or Redis was suspended, may be given the same job again
 * while its older attempt still runs. Both would act as the same worker: the leases that the older
 * one returns would be those of the newer one, whose sessions would no longer be counted. BullMQ,
 * which knows locks by job, would stop renewing the newer lock when the older attempt ends. So the
 * newer attempt doesn't begin: the older one is ended, and then the job is taken once more.
 */
export class RunningAttempts {
  private readonly running = new Map<string, RunningAttempt>()
  private stopReason: StopRequested | null = null

  /**
   * Runs an attempt to its end.
   * @returns false where an older attempt at the same job was running: that one has ended, and this
   *   one has not begun
   * @throws the error of the attempt
   */
  async run(
    jobId: string,
    attempt: (controller: AbortController) => Promise<void>,
  ): Promise<boolean> {
    const older = this.running.get(jobId)
    if (older) {
      // The queue gave the job to the newer attempt, so the older one's lock is lost already.
      older.controller.abort(LOCK_LOST)
      await older.over
      return false
    }
    const controller = new AbortController()
    // No limit of listeners: every lane and engine request adds one, and Node would report a leak.
    setMaxListeners(0, controller.signal)
    if (this.stopReason !== null) controller.abort(this.stopReason)
    const running = attempt(controller)
    // The error of the attempt is thrown by the `await` below.
    this.running.set(jobId, { controller, over: running.catch(() => {}) })
    try {
      await running
    } finally {
      this.running.delete(jobId)
    }
    return true
  }

  /** Ids of the jobs whose attempts run. */
  get jobIds(): string[] {
    return [...this.running.keys()]
  }

  /** Stops the attempt at a job; false where none runs. */
  abort(jobId: string, reason: StopRequested): boolean {
    const found = this.running.get(jobId)
    found?.controller.abort(reason)
    return found !== undefined
  }

  /** Stops all attempts, and every one that begins later. */
  abortAll(reason: StopRequested): void {
    this.stopReason = reason
    for (const { controller } of this.running.values()) controller.abort(reason)
  }
}
