import type { CallOptions } from '../../kernel/abort.js'
import { type Clock, pauseFor } from '../../kernel/clock.js'
import type { JobEvent } from '../../queue/index.js'
import type { WordGroup } from '../../transcript/words/align.js'
import type { JobView } from '../index.js'

/** Interval at which gathered text and progress are sent, in ms. */
const FLUSH_INTERVAL_MS = 500
/** Most groups of text kept while Redis doesn't answer; beyond it the oldest are dropped. */
const PENDING_GROUPS_MAX = 1_000

/**
 * Shows a running job to people: progress in audio time, and text as it comes. `progress` and
 * `text` only gather, and `run` sends. While Redis is unavailable the transcription goes on, and
 * the oldest gathered text is dropped.
 */
export class LiveReport {
  private readonly doneMs: number[]
  private readonly pending: JobEvent[] = []
  private shownMs = 0
  private readonly view: JobView
  private readonly clock: Clock
  private readonly job: { jobId: string; audioMs: number }

  /** @param job.doneMs of each lane, the audio in ms whose text is there already */
  constructor(
    ports: { jobView: JobView; clock: Clock },
    job: { jobId: string; audioMs: number; doneMs: readonly number[] },
  ) {
    this.view = ports.jobView
    this.clock = ports.clock
    this.job = job
    this.doneMs = [...job.doneMs]
  }

  /** @param audioMsDone audio of the lane whose text has arrived, in ms */
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
      await this.send({ signal })
      await pauseFor(this.clock, FLUSH_INTERVAL_MS, { signal })
    }
  }

  /** Sends what is gathered, once, such as the last words of a recording; never throws. */
  async send(options: CallOptions): Promise<void> {
    // An error here must not fail the transcription: `run` sends the rest 500 ms later.
    await this.flush(options).catch(() => {})
  }

  private async flush(options: CallOptions): Promise<void> {
    const { jobId, audioMs: audioMsTotal } = this.job
    for (let event = this.pending[0]; event !== undefined; event = this.pending[0]) {
      await this.view.publish(jobId, event, options)
      // The event may have been dropped while it was sent: then the first one is another, unsent.
      if (this.pending[0] === event) this.pending.shift()
    }
    const audioMsDone = Math.min(...this.doneMs)
    if (audioMsDone === this.shownMs) return
    await this.view.update(jobId, { audioMsDone }, options)
    await this.view.publish(jobId, { type: 'progress', audioMsDone, audioMsTotal }, options)
    this.shownMs = audioMsDone
  }
}
