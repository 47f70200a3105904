import { LatencyHistogram } from '../../latency/latency-histogram.js'
import { STEP_MS } from '../../model/pcm.js'
import { stepsToFirstDelta } from '../../model/step-law.js'
import type { SessionEnded } from './events.js'

/** The events of one session, taken in order. Times are ms since the start of the sweep. */
export class SessionTrace {
  arrivedMs: number | null = null
  openedMs: number | null = null
  createdMs: number | null = null
  firstDeltaMs: number | null = null
  firstTextMs: number | null = null
  lastDeltaMs: number | null = null
  lastTextMs: number | null = null
  audioEndedMs: number | null = null
  doneMs: number | null = null
  ended: SessionEnded | null = null
  deltas = 0
  /** Deltas that are not empty. */
  texts = 0
  /** Lag of this session's deltas, in ms: what `delta` and `missingMs` give. */
  readonly lag = new LatencyHistogram()
  private readonly frameSentMs: number[] = []

  /** Length of the audio that was sent, in ms. */
  get audioMs(): number {
    return this.frameSentMs.length * STEP_MS
  }

  get firstFrameMs(): number | null {
    return this.frameSentMs[0] ?? null
  }

  get lastFrameMs(): number | null {
    return this.frameSentMs.at(-1) ?? null
  }

  frameSent(atMs: number): void {
    this.frameSentMs.push(atMs)
  }

  /**
   * @returns how long after the frame that made it possible the delta came: frame 7 + i for delta
   *   i, both 0-based. Null for the deltas of the tail, which no frame makes possible.
   */
  delta(atMs: number, hasText: boolean): number | null {
    const sentMs = this.frameSentMs[stepsToFirstDelta() + this.deltas]
    this.deltas += 1
    this.firstDeltaMs ??= atMs
    this.lastDeltaMs = atMs
    if (hasText) {
      this.texts += 1
      this.firstTextMs ??= atMs
      this.lastTextMs = atMs
    }
    return sentMs === undefined ? null : atMs - sentMs
  }

  /**
   * For each delta that was possible and never came: how long it had been waited for. Without them
   * an engine that stops would look fast, because only its quick answers would be counted.
   */
  *missingMs(atMs: number): Iterable<number> {
    for (const sentMs of this.frameSentMs.slice(stepsToFirstDelta() + this.deltas))
      yield atMs - sentMs
  }
}
