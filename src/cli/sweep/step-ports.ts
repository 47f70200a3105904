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

/** Sessions of a step start within this time. */
export const STAGGER_MS = 1_000

/**
 * Audio of each session, in whole frames: so much that all of them, started within the stagger, are
 * fed at the same time for as long as was asked for.
 */
export function stepAudioMs({ seconds, pace }: { seconds: number; pace: number }): number {
  return Math.ceil(((seconds * 1000 + STAGGER_MS) * pace) / STEP_MS) * STEP_MS
}

/** How a session is let onto the engine; disposed of when it is over. */
export type LetIn = (
  session: { index: number; audioMs: number; pace: number },
  options: { signal: AbortSignal },
) => Promise<AsyncDisposable>

/** Straight at the engine, whatever it holds. */
export const letAllIn: LetIn = async () => ({ [Symbol.asyncDispose]: async () => {} })

/** What all steps of a sweep work with. */
export interface StepPorts {
  clock: Clock
  /** Chance of the load plan alone. */
  random: Random
  runSession: SessionRunner
  letIn: LetIn
  /** Asks the engine for its gauges; all null where it has none. */
  readGauges(options: { signal: AbortSignal }): Promise<EngineGauges>
  address: EngineAddress
  engine: SweptEngine
  limits: Pick<SessionLimits, 'createdTimeoutMs' | 'doneTimeoutMs'>
  speech: Speech
  /** Writes one event with the time of this moment; never throws. */
  record(event: TimelessEvent): void
  /** Why events can't be written any more; null while they can. */
  failure(): Error | null
  /** ms since the start of the sweep. */
  nowMs(): number
  /** A session is over. */
  onEnded(): void
  /** Called a few times a second while sessions run. */
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
