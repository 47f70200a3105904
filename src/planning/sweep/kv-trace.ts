import { type KvModel, kvBlocksHeld } from '../../model/kv-model.js'

/** A sample is compared with the law from 100 ms before its request to 100 ms after its answer. */
const SLACK_MS = 100
/** No comparison within 1 s of an open or a close: the engine may count the session or not. */
const SETTLE_MS = 1_000

/** KV blocks at one sample of the engine's gauges. */
export interface KvTracePoint {
  atMs: number
  measured: number | null
  /** Blocks by the KV law, from the deltas received. */
  predicted: number
  /** Distance to the nearest value that the law gave in that time; null without a comparison. */
  error: number | null
}

interface Pending {
  sample: KvTracePoint
  measured: number
  fromMs: number
  untilMs: number
}

/** Predicts the KV blocks of a step's sessions by the law, and compares them with the gauge. */
export class KvTrace {
  readonly samples: KvTracePoint[] = []
  private readonly model: KvModel
  private readonly heldBySession = new Map<number, number>()
  private predicted = 0
  /** When the predicted sum became what: as far back as a pending or coming sample needs. */
  private changes: { atMs: number; predicted: number }[] = [{ atMs: 0, predicted: 0 }]
  private pending: Pending[] = []
  private lastTurnMs = Number.NEGATIVE_INFINITY

  constructor(model: KvModel) {
    this.model = model
  }

  /** A session has received `deltas` deltas in all. */
  delta(session: number, deltas: number, atMs: number): void {
    this.hold(session, kvBlocksHeld(this.model, deltas), atMs)
  }

  /** A session was opened or closed: it holds no blocks now. */
  turned(session: number, atMs: number): void {
    this.hold(session, 0, atMs)
    this.lastTurnMs = atMs
    this.pending = [] // too near to this change to be compared
  }

  /** Takes a sample of the engine's gauge; null where it has none. */
  measured(blocks: number | null, { requestedMs, atMs }: { requestedMs: number; atMs: number }) {
    const sample: KvTracePoint = { atMs, measured: blocks, predicted: this.predicted, error: null }
    this.samples.push(sample)
    if (blocks === null || requestedMs - this.lastTurnMs < SETTLE_MS) return
    const fromMs = requestedMs - SLACK_MS
    this.pending.push({ sample, measured: blocks, fromMs, untilMs: atMs + SLACK_MS })
  }

  /** Compares the samples whose time for comparison has ended before a moment. */
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

  /** Drops changes before the one that was in force at `beforeMs`. */
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
