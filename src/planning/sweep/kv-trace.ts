import { type KvModel, kvBlocksHeld } from '../../model/kv-model.js'

/** A sample is compared with the law at every moment from so long before the request … */
const SLACK_MS = 100
/** … and not at all so near to an open or a close, when the engine is in between. */
const SETTLE_MS = 1_000

/** KV blocks at one sample of the engine's gauges. */
export interface KvTracePoint {
  atMs: number
  measured: number | null
  /** By the law, out of the deltas received. */
  predicted: number
  /** Beyond anything that the law gave around the request; null where that can't be said. */
  error: number | null
}

interface Pending {
  sample: KvTracePoint
  measured: number
  fromMs: number
  untilMs: number
}

/** Follows the law over the sessions of a step, and compares it with what the engine says. */
export class KvTrace {
  readonly samples: KvTracePoint[] = []
  private readonly model: KvModel
  private readonly heldBySession = new Map<number, number>()
  private predicted = 0
  /** Of the last 100 ms and what a pending sample reaches back to: when the sum became what. */
  private changes: { atMs: number; predicted: number }[] = [{ atMs: 0, predicted: 0 }]
  private pending: Pending[] = []
  private lastTurnMs = Number.NEGATIVE_INFINITY

  constructor(model: KvModel) {
    this.model = model
  }

  /** A session has received so many deltas. */
  delta(session: number, deltas: number, atMs: number): void {
    this.hold(session, kvBlocksHeld(this.model, deltas), atMs)
  }

  /** A session was opened, or closed, which frees what it held. */
  turned(session: number, atMs: number): void {
    this.hold(session, 0, atMs)
    this.lastTurnMs = atMs
    this.pending = [] // the engine was in between when they were taken
  }

  /** The engine's gauge; null where it has none. */
  measured(blocks: number | null, { requestedMs, atMs }: { requestedMs: number; atMs: number }) {
    const sample: KvTracePoint = { atMs, measured: blocks, predicted: this.predicted, error: null }
    this.samples.push(sample)
    if (blocks === null || requestedMs - this.lastTurnMs < SETTLE_MS) return
    const fromMs = requestedMs - SLACK_MS
    this.pending.push({ sample, measured: blocks, fromMs, untilMs: atMs + SLACK_MS })
  }

  /** Time has passed: samples whose window is over are compared. */
  passed(atMs: number): void {
    const over = this.pending.filter(({ untilMs }) => untilMs < atMs)
    if (over.length === 0) return
    for (const pending of over) pending.sample.error = this.errorOf(pending)
    this.pending = this.pending.filter((pending) => !over.includes(pending))
  }

  private hold(session: number, blocks: number, atMs: number): void {
    const before = this.heldBySession.get(session) ?? 0
    if (blocks === before) return
    this.passed(atMs)
    this.heldBySession.set(session, blocks)
    this.predicted += blocks - before
    this.changes.push({ atMs, predicted: this.predicted })
    this.forget(Math.min(atMs - SETTLE_MS, ...this.pending.map(({ fromMs }) => fromMs)))
  }

  /** Keeps the change that holds at `beforeMs`, and all later ones. */
  private forget(beforeMs: number): void {
    const later = this.changes.findIndex(({ atMs }) => atMs > beforeMs)
    if (later > 64) this.changes = this.changes.slice(later - 1)
  }

  private errorOf({ measured, fromMs, untilMs }: Pending): number {
    let least = Number.POSITIVE_INFINITY
    let most = 0
    for (const [index, { atMs, predicted }] of this.changes.entries()) {
      const endMs = this.changes[index + 1]?.atMs ?? Number.POSITIVE_INFINITY
      if (atMs > untilMs || endMs < fromMs) continue
      least = Math.min(least, predicted)
      most = Math.max(most, predicted)
    }
    return measured < least ? measured - least : Math.max(0, measured - most)
  }
}
