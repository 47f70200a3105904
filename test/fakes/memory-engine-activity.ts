import {
  ACTIVITY_TTL_MS,
  type EngineActivity,
  type EngineActivityStore,
  EVICTION_REQUEST_TTL_MS,
} from '../../src/admission/index.js'
import type { Clock } from '../../src/kernel/clock.js'

/** Pulses, locks and words to free a session in one process, on its clock. */
export class MemoryEngineActivity implements EngineActivityStore {
  private readonly clock: Clock
  /** By engine, then by worker. */
  private readonly activities = new Map<string, Map<string, EngineActivity>>()
  private readonly lockedUntilMs = new Map<string, number>()
  /** By engine and worker; told anew, all that it was told before stays with the new. */
  private readonly told = new Map<string, { chainIds: Set<string>; untilMs: number }>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async publish(
    engine: string,
    activity: EngineActivity,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted()
    const ofEngine = this.activities.get(engine) ?? new Map<string, EngineActivity>()
    this.activities.set(engine, ofEngine.set(activity.worker, activity))
  }

  async list(engine: string, { signal }: { signal: AbortSignal }): Promise<EngineActivity[]> {
    signal.throwIfAborted()
    const nowMs = this.clock.wallMs()
    const ofEngine = this.activities.get(engine) ?? new Map<string, EngineActivity>()
    for (const [worker, { atMs }] of ofEngine) {
      if (nowMs - atMs >= ACTIVITY_TTL_MS) ofEngine.delete(worker)
    }
    return [...ofEngine.values()]
  }

  async tryLock(
    engine: string,
    purpose: string,
    { holdMs, signal }: { holdMs: number; signal: AbortSignal },
  ): Promise<boolean> {
    signal.throwIfAborted()
    const lock = `${purpose}:${engine}`
    const nowMs = this.clock.wallMs()
    if ((this.lockedUntilMs.get(lock) ?? Number.NEGATIVE_INFINITY) > nowMs) return false
    this.lockedUntilMs.set(lock, nowMs + holdMs)
    return true
  }

  async requestEviction(
    engine: string,
    { worker, chainId }: { worker: string; chainId: string },
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted()
    const key = freeKey(engine, worker)
    const chainIds = new Set(this.standingAt(key)).add(chainId)
    this.told.set(key, { chainIds, untilMs: this.clock.wallMs() + EVICTION_REQUEST_TTL_MS })
  }

  async takeEvictionRequests(
    engine: string,
    worker: string,
    { signal }: { signal: AbortSignal },
  ): Promise<string[]> {
    signal.throwIfAborted()
    const key = freeKey(engine, worker)
    const chainIds = this.standingAt(key)
    this.told.delete(key)
    return [...chainIds]
  }

  private standingAt(key: string): Iterable<string> {
    const told = this.told.get(key)
    return told && told.untilMs > this.clock.wallMs() ? told.chainIds : []
  }
}

function freeKey(engine: string, worker: string): string {
  return `${worker}:${engine}`
}
