import type { ControllerEvent } from '../admission/engine/engine-controller.js'
import type { SessionActivity } from '../admission/engine/session-activity.js'
import type { LegLease } from '../admission/lane/leg-lease.js'
import type { NightscribeError } from '../kernel/errors.js'
import type { EngineAddress, EngineDescription } from '../realtime/index.js'

/** An engine that has answered at least once. */
export interface KnownEngine {
  address: EngineAddress
  description: EngineDescription
}

/** The engines of a worker, what is known of them, and the activity of their sessions. */
export interface EngineDirectory {
  /** @param id the engine's name in the ledger, which is its url */
  engine(id: string): KnownEngine
  /** Registers the session that begins for a lease. */
  session(lease: LegLease): SessionActivity
  /** Whether all sessions of the engine, of all workers, are silent although frames are due. */
  isSilent(id: string): boolean
  /**
   * A session of the engine broke: the engine is checked at once. Where the cause concerns every
   * session (a wrong key, a missing model), the engine is out at once. Where the engine took no
   * more audio than a number of frames, later legs are not longer than that.
   */
  suspect(id: string, error: NightscribeError): void
  /** Why no engine is up, as a sentence or more; null while one is. */
  outage(): string | null
}

/** What happens to the engines, for logs and metrics. Its methods must not throw or wait. */
export interface EngineEvents {
  /** An engine's controller saw or did something. */
  engine(url: string, event: ControllerEvent): void
  /** The state of an engine's health has changed; `reason` is a sentence, or null. */
  engineHealth(url: string, state: string, reason: string | null): void
}
