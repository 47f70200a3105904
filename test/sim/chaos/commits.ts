import type { SimulatedClock } from '../../../src/kernel/simulated-clock.js'
import { fenceOfKey } from '../../../src/storage/keys.js'
import type { MemoryObjectStore } from './memory-object-store.js'
import type { SimulatedProcess } from './simulated-process.js'

/** Whoever commits has asked the queue right before, unless he stood still between. */
const CHECKED_WITHIN_MS = 10_000

/** Who writes results, and when he last heard that the job is his. */
export class Commits {
  private readonly time: SimulatedClock
  private readonly onViolated: (sentence: string) => void
  private readonly committed = new Set<string>()
  private readonly ownedMs = new Map<string, number>()
  private readonly putting_ = new Map<string, SimulatedProcess>()
  /** The process that has last begun with a job. */
  private readonly newest = new Map<string, SimulatedProcess>()

  constructor(parts: { time: SimulatedClock; onViolated(sentence: string): void }) {
    this.time = parts.time
    this.onViolated = (sentence) => parts.onViolated(sentence)
  }

  has(jobId: string): boolean {
    return this.committed.has(jobId)
  }

  admitted(process: SimulatedProcess, jobId: string, _objects: MemoryObjectStore): void {
    this.newest.set(jobId, process)
  }

  owned(process: SimulatedProcess, jobId: string): void {
    this.ownedMs.set(`${process.name} ${jobId}`, process.clock.monotonicMs())
  }

  /** A put is about to be made. */
  putting(process: SimulatedProcess, key: string): void {
    this.putting_.set(key, process)
  }

  /** A put has stored something. */
  stored(key: string, isNew: boolean): void {
    const [, jobId = '', name = ''] = /^jobs\/([^/]+)\/(.*)$/.exec(key) ?? []
    const fence = fenceOfKey(key)
    if (!isNew && (fence !== null || name === 'manifest.json')) {
      const by = this.putting_.get(key)?.name
      this.onViolated(`${key} was written a second time, by ${by}`)
    }
    if (name !== 'manifest.json') return
    if (this.committed.has(jobId)) this.onViolated(`${jobId} was committed twice`)
    this.committed.add(jobId)
    this.checkOwner(key, jobId)
  }

  /**
   * The queue's word is asked for right before the put. A process that stood still between may be a
   * zombie: its result is whole, and the only one; that is the window that is left.
   */
  private checkOwner(key: string, jobId: string): void {
    const process = this.putting_.get(key)
    if (!process || this.newest.get(jobId) === process) return
    const ownedMs = this.ownedMs.get(`${process.name} ${jobId}`) ?? Number.NEGATIVE_INFINITY
    const sinceMs = process.clock.monotonicMs() - ownedMs
    if (sinceMs <= CHECKED_WITHIN_MS || process.hasFrozen) return
    this.onViolated(`${process.name} committed ${jobId} at ${this.time.monotonicMs()}: not its own`)
  }
}
