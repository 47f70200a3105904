import type { EngineGauges } from '../../engines/engine-metrics.js'
import type { Clock } from '../../kernel/clock.js'
import type { Random } from '../../kernel/random.js'
import { STEP_MS } from '../../model/pcm.js'
import type { SweepEvent } from '../../planning/sweep/events.js'
import type { SweptEngine } from '../../planning/sweep/report.js'
import type { EngineAddress } from '../../realtime/index.js'
import type { SessionRunner } from '../../realtime/run-session.js'
import type { SessionLimits } from '../../realtime/session-machine.js'
import type { Speech } from './speech.js'

/** Time in ms over which the starts of a step's sessions are spread. */
export const STAGGER_MS = 1_000

/**
 * Audio of each session in ms, in whole frames: long enough that all sessions, started within 1 s
 * of each other, are sent audio at the same time for `seconds`.
 */
export function stepAudioMs({ seconds, pace }: { seconds: number; pace: number }): number {
  return Math.ceil(((seconds * 1000 + STAGGER_MS) * pace) / STEP_MS) * STEP_MS
}

/** Admits a session to the engine; its result is disposed of when the session is over. */
export type LetIn = (
  session: { index: number; audioMs: number; pace: number },
  options: { signal: AbortSignal },
) => Promise<AsyncDisposable>

/** Admits every session at once, whatever the engine holds. */
export const letAllIn: LetIn = async () => ({ [Symbol.asyncDispose]: async () => {} })

/** What all steps of a sweep share. */
export interface StepPorts {
  clock: Clock
  /** Randomness for the load plan alone: the same seed gives the same load. */
  random: Random
  runSession: SessionRunner
  letIn: LetIn
  /** Reads the engine's gauges; all null where it has none. */
  readGauges(options: { signal: AbortSignal }): Promise<EngineGauges>
  address: EngineAddress
  engine: SweptEngine
  limits: Pick<SessionLimits, 'createdTimeoutMs' | 'doneTimeoutMs'>
  speech: Speech
  /** Writes one event with the current time. Never throws. */
  record(event: TimelessEvent): void
  /** The error for which events can't be written any more; null while they can. */
  failure(): Error | null
  /** Time in ms since the start of the sweep. */
  nowMs(): number
  /** Called when a session is over. */
  onEnded(): void
  /** Called several times a second while sessions run. */
  onTick(): void
}

/** An event without its time. */
export type TimelessEvent = SweepEvent extends infer E
  ? E extends { atMs: number }
    ? Omit<E, 'atMs'>
    : never
  : never

/** One step of a sweep. */
export interface StepPlan {
  sessions: number
  seconds: number
  pace: number
}
