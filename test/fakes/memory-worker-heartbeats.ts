import { HEARTBEAT_TTL_MS, type WorkerHeartbeats } from '../../src/admission/index.js'
import type { Clock } from '../../src/kernel/clock.js'

/** Signs of life in one process, on its clock. */
export class MemoryWorkerHeartbeats implements WorkerHeartbeats {
  private readonly clock: Clock
  private readonly givenMs = new Map<string, number>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async beat(worker: string, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    this.givenMs.set(worker, this.clock.wallMs())
  }

  async ages(
    workers: readonly string[],
    { signal }: { signal: AbortSignal },
  ): Promise<ReadonlyMap<string, number | null>> {
    signal.throwIfAborted()
    return new Map(workers.map((worker) => [worker, this.ageMs(worker)]))
  }

  async deregister(worker: string, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    this.givenMs.delete(worker)
  }

  private ageMs(worker: string): number | null {
    const givenMs = this.givenMs.get(worker)
    if (givenMs === undefined) return null
    const ageMs = this.clock.wallMs() - givenMs
    return ageMs < HEARTBEAT_TTL_MS ? ageMs : null
  }
}
