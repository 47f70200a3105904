import type { Clock } from '../../../src/kernel/clock.js'
import {
  type CardChanges,
  type DatedNote,
  isFinal,
  type JobBoard,
  type JobCard,
  type JobNote,
  mayFollow,
  type StreamedEvent,
} from '../../../src/queue/index.js'

/** The board of a simulated night. Streams and cancel requests are left out. */
export class MemoryJobBoard implements JobBoard {
  private readonly clock: Clock
  private readonly cards = new Map<string, JobCard>()
  private readonly fences = new Map<string, number>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async create(card: JobCard): Promise<void> {
    this.cards.set(card.jobId, card)
  }

  async update(
    jobId: string,
    changes: CardChanges,
    condition?: { ifUpdatedAtMs: number },
  ): Promise<void> {
    const card = this.cards.get(jobId)
    if (condition && card?.updatedAtMs !== condition.ifUpdatedAtMs) return
    if (!card || (changes.status && !mayFollow(card.status, changes.status))) return
    const waiting = changes.waiting ?? (changes.status === undefined ? card.waiting : null)
    this.cards.set(jobId, { ...card, ...changes, waiting, updatedAtMs: this.clock.wallMs() })
  }

  async get(jobId: string): Promise<JobCard | null> {
    return this.cards.get(jobId) ?? null
  }

  async *openIds(): AsyncIterable<string> {
    for (const { jobId, status } of [...this.cards.values()]) if (!isFinal(status)) yield jobId
  }

  async list(): Promise<JobCard[]> {
    return [...this.cards.values()]
  }

  async note(_jobId: string, _note: JobNote): Promise<void> {}

  async history(): Promise<DatedNote[]> {
    return []
  }

  async publish(): Promise<void> {}

  async events(): Promise<StreamedEvent[]> {
    return []
  }

  async requestCancel(): Promise<void> {}

  async onCancel(): Promise<void> {}

  async nextFence(jobId: string, floor: number): Promise<number> {
    const fence = Math.max(floor, this.fences.get(jobId) ?? 0) + 1
    this.fences.set(jobId, fence)
    return fence
  }
}
