import type { Clock } from '../../../src/kernel/clock.js'
import { isFinal, mayFollow } from '../../../src/queue/contract/job-status.js'
import type {
  DatedHistoryEntry,
  JobHistoryEntry,
  JobRecord,
  JobStore,
  RecordChanges,
  StreamedEvent,
} from '../../../src/queue/index.js'

/** The board of a simulated night. Streams and cancel requests are left out. */
export class MemoryJobStore implements JobStore {
  private readonly clock: Clock
  private readonly records = new Map<string, JobRecord>()
  private readonly fences = new Map<string, number>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async create(record: JobRecord): Promise<void> {
    this.records.set(record.jobId, record)
  }

  async update(
    jobId: string,
    changes: RecordChanges,
    { ifUpdatedAtMs }: { ifUpdatedAtMs?: number },
  ): Promise<void> {
    const record = this.records.get(jobId)
    if (ifUpdatedAtMs !== undefined && record?.updatedAtMs !== ifUpdatedAtMs) return
    if (!record || (changes.status && !mayFollow(record.status, changes.status))) return
    const waiting = changes.waiting ?? (changes.status === undefined ? record.waiting : null)
    this.records.set(jobId, { ...record, ...changes, waiting, updatedAtMs: this.clock.wallMs() })
  }

  async get(jobId: string): Promise<JobRecord | null> {
    return this.records.get(jobId) ?? null
  }

  async *openIds(): AsyncIterable<string> {
    for (const { jobId, status } of [...this.records.values()]) if (!isFinal(status)) yield jobId
  }

  async list(): Promise<JobRecord[]> {
    return [...this.records.values()]
  }

  async appendHistory(_jobId: string, _entry: JobHistoryEntry): Promise<void> {}

  async history(): Promise<DatedHistoryEntry[]> {
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
