import type { ControllerEvent } from '../admission/engine/engine-controller.js'
import type { SessionActivity } from '../admission/engine/session-activity.js'
import type { LegLease } from '../admission/lane/leg-lease.js'
import type { NightscribeError } from '../kernel/errors.js'
import type { EngineAddress, EngineDescription } from '../realtime/index.js'

/** An engine that answered when the worker started. */
export interface KnownEngine {
  address: EngineAddress
  description: EngineDescription
}

/** The engines and what is known of them, and the watch over their sessions. */
export interface EngineDirectory {
  /** @param id as in the ledger */
  engine(id: string): KnownEngine
  /** A session of a lease begins. */
  session(lease: LegLease): SessionActivity
  /** Whether the whole engine is silent. */
  isSilent(id: string): boolean
  /**
   * A session of the engine broke: it is looked at soon. Where it refused what it would refuse
   * everybody (a key, a model), it is out at once; where it had enough audio, legs become shorter.
   */
  suspect(id: string, error: NightscribeError): void
  /** Why no engine is up, as a sentence or more; null while one is. */
  outage(): string | null
}

/** What happens to the engines, for logs and metrics. Must not throw or wait. */
export interface EngineEvents {
  /** A keeper saw or did something. */
  engine(url: string, event: ControllerEvent): void
  /** It was taken out or back in; `reason` is a sentence, or null. */
  engineHealth(url: string, state: string, reason: string | null): void
}
