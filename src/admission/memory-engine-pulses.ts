import type { Clock } from '../kernel/clock.js'
import {
  type EnginePulse,
  type EnginePulses,
  PULSE_KEPT_MS,
  TOLD_TO_FREE_KEPT_MS,
} from './ledger-store.js'

/** Pulses, locks and words to free a session in one process, on its clock. */
export class MemoryEnginePulses implements EnginePulses {
  private readonly clock: Clock
  /** By engine, then by worker. */
  private readonly pulses = new Map<string, Map<string, EnginePulse>>()
  private readonly lockedUntilMs = new Map<string, number>()
  /** By worker; told anew, all that it was told before stays with the new. */
  private readonly told = new Map<string, { chainIds: Set<string>; untilMs: number }>()

  constructor(options: { clock: Clock }) {
    this.clock = options.clock
  }

  async publish(
    engine: string,
    pulse: EnginePulse,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted()
    const ofEngine = this.pulses.get(engine) ?? new Map<string, EnginePulse>()
    this.pulses.set(engine, ofEngine.set(pulse.worker, pulse))
  }

  async list(engine: string, { signal }: { signal: AbortSignal }): Promise<EnginePulse[]> {
    signal.throwIfAborted()
    const nowMs = this.clock.wallMs()
    const ofEngine = this.pulses.get(engine) ?? new Map<string, EnginePulse>()
    for (const [worker, { atMs }] of ofEngine) {
      if (nowMs - atMs >= PULSE_KEPT_MS) ofEngine.delete(worker)
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

  async tellToFree(
    _engine: string,
    { worker, chainId }: { worker: string; chainId: string },
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted()
    const chainIds = new Set(this.standingFor(worker)).add(chainId)
    this.told.set(worker, { chainIds, untilMs: this.clock.wallMs() + TOLD_TO_FREE_KEPT_MS })
  }

  async takeToldToFree(worker: string, { signal }: { signal: AbortSignal }): Promise<string[]> {
    signal.throwIfAborted()
    const chainIds = this.standingFor(worker)
    this.told.delete(worker)
    return [...chainIds]
  }

  private standingFor(worker: string): Iterable<string> {
    const told = this.told.get(worker)
    return told && told.untilMs > this.clock.wallMs() ? told.chainIds : []
  }
}
