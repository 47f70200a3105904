import type { ControllerGauges } from '../../../src/admission/engine/engine-controller.js'
import type { EnginePlan } from '../../../src/admission/load/engine-plan.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import type { SessionRunner } from '../../../src/realtime/run-session.js'
import type { SimulatedProcess } from './simulated-process.js'

/** What breaks one session. */
export type SessionTrouble = 'drop' | 'stall'

/** An engine of a chaos night, at either depth. */
export interface ChaosEngine {
  /** Its address. */
  readonly id: string
  readonly plan: EnginePlan
  readonly kv: KvModel
  readonly isUp: boolean
  /** Sessions that it has, by its own count. */
  readonly openSessions: number
  readonly kvBlocksHeld: number
  /** How often all its sessions stood still because it was full. */
  readonly deadlocks: number
  /** When each of its sessions was opened. */
  readonly openedMs: readonly number[]
  /** What its page of figures says. */
  readonly gauges: ControllerGauges
  /** Sessions of one process. */
  runner(process: SimulatedProcess): SessionRunner
  /** Every session ends; it is back after so long. */
  die(downMs: number): void
  /** One of its sessions breaks. */
  break(trouble: SessionTrouble): void
}
