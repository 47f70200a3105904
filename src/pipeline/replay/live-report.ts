import { type Clock, sleepFor } from '../../kernel/clock.js'
import type { JobEvent, JobStore } from '../../queue/index.js'
import type { WordGroup } from '../../transcript/words/align.js'

/** How often what has gathered is sent to the board. */
const FLUSH_INTERVAL_MS = 500
/** Groups that wait for a board that doesn't answer; beyond it the oldest are dropped. */
const PENDING_GROUPS_MAX = 1_000

/**
 * Shows a running job: progress in audio time and text as it comes. Gathers without waiting; `run`
 * sends. It is a view: when the board is away, the transcription goes on and old text is dropped.
 */
export class LiveReport {
  private readonly doneMs: number[]
  private readonly pending: JobEvent[] = []
  private shownMs = 0
  private readonly jobStore: JobStore
  private readonly clock: Clock
  private readonly job: { jobId: string; audioMs: number }

  /** @param job.doneMs of each lane, as it is found */
  constructor(
    ports: { jobStore: JobStore; clock: Clock },
    job: { jobId: string; audioMs: number; doneMs: readonly number[] },
  ) {
    this.jobStore = ports.jobStore
    this.clock = ports.clock
    this.job = job
    this.doneMs = [...job.doneMs]
  }

  /** So much of a lane has come back as text. */
  progress(lane: number, audioMsDone: number): void {
    this.doneMs[lane] = audioMsDone
  }

  text(channel: number | null, group: WordGroup): void {
    this.pending.push({ type: 'text', channel, endMs: group.endMs, text: group.text })
    if (this.pending.length > PENDING_GROUPS_MAX) this.pending.shift()
  }

  /** Sends until the signal aborts; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A view must not fail the work; the next round tries again.
      await this.flush().catch(() => {})
      await sleepFor(this.clock, FLUSH_INTERVAL_MS, { signal }).catch(() => {}) // stopping is fine
    }
  }

  private async flush(): Promise<void> {
    const { jobId, audioMs: audioMsTotal } = this.job
    for (const event of this.pending.splice(0)) await this.jobStore.publish(jobId, event)
    const audioMsDone = Math.min(...this.doneMs)
    if (audioMsDone === this.shownMs) return
    this.shownMs = audioMsDone
    await this.jobStore.update(jobId, { audioMsDone })
    await this.jobStore.publish(jobId, { type: 'progress', audioMsDone, audioMsTotal })
  }
}
