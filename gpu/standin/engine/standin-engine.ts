import type { Clock } from '../../../src/kernel/clock.js'
import type { Random } from '../../../src/kernel/random.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import type { StepModel } from '../../../src/model/step-model.js'
import type { RecognizerFactory } from '../recognizers/recognizer.js'
import { BatchScheduler } from './batch-scheduler.js'
import { StepLoop, type Stepper } from './step-loop.js'

/** Default `max_model_len`: tokens of a session, as in the released model. */
export const DEFAULT_MAX_MODEL_LEN = 131_072
/** Default number of utterances at a time. */
export const DEFAULT_MAX_NUM_SEQS = 256

/** What a stand-in serves, and how. */
export interface StandinSettings {
  modelId: string
  /** Version that `/version` returns. */
  version: string
  /** Tokens of a session, prompt included. */
  maxModelLen: number
  /** True imitates vLLM before 0.32: a session that reaches `maxModelLen` ends the whole engine. */
  diesAtMaxModelLen: boolean
  /** Utterances that generate at a time; more wait without an answer. */
  maxNumSeqs: number
  kv: KvModel
  /** `num_gpu_blocks` less the one that holds no session. */
  kvBlocksUsable: number
  /** How long a step takes; null: no time. */
  stepModel: StepModel | null
  recognizer: RecognizerFactory
  /** Clock of steps and faults. */
  clock: Clock
  random: Random
  /** Runs a function soon; see `StepLoop`. */
  defer: (turn: () => void) => void
}

/** Counters of `/metrics` since the engine's start. */
export interface EngineCounters {
  connections: number
  promptTokens: number
  generationTokens: number
  /** Utterances that ended with `done`. */
  finished: number
  /** Utterances among them that reached the length limit. */
  capped: number
  /** Utterances whose client disconnected before `done`. */
  aborted: number
  /** Utterances that ended with an error. */
  failed: number
}

/** An engine's state seen from inside. Counts are those of the current engine process. */
export interface EngineStats extends Readonly<EngineCounters> {
  readonly connectionsActive: number
  readonly kvBlocksUsable: number
  readonly kvBlocksHeld: number
  /** The most blocks that all sessions ever held at a time. */
  readonly kvBlocksHeldMax: number
  /** How often all sessions stood still because one couldn't get its block. */
  readonly deadlocks: number
}

/** The part of a connection that the engine needs. */
export interface EngineSession extends Stepper {
  /** The engine aborts the running request, if any: sends `deltas` empty deltas. */
  aborted(deltas: number): void
  /** The engine is dead: sends an error when a generation was running. */
  engineDied(): void
  /** Closes the connection; without a close frame when the code is 1006. */
  close(code: number): void
}

/** How an engine dies; the parameters of the fault `engine_death`. */
export interface EngineDeath {
  closeMs: number
  downMs: number
  abrupt: number
  term: number
  abortDeltas: number
}

/** vLLM's error text for sessions that were generating when its engine process died. */
export const ENGINE_DEAD =
  'EngineCore encountered an issue. See stack trace (above) for the root cause.'

/**
 * State that all connections of one stand-in share. Two modes: alive; and dead, when nothing
 * generates and the server closes its sockets. The owner may then start a new engine.
 */
export class StandinEngine {
  readonly settings: StandinSettings
  readonly scheduler: BatchScheduler<Stepper>
  readonly loop: StepLoop
  readonly sessions = new Set<EngineSession>()
  readonly counters: EngineCounters = {
    connections: 0,
    promptTokens: 0,
    generationTokens: 0,
    finished: 0,
    capped: 0,
    aborted: 0,
    failed: 0,
  }
  private readonly onDeath: (death: EngineDeath) => void
  private alive = true

  /** @param onDeath called once */
  constructor(settings: StandinSettings, onDeath: (death: EngineDeath) => void) {
    this.settings = settings
    this.onDeath = onDeath
    const { kv, kvBlocksUsable, maxNumSeqs: seqsMax, stepModel, clock, defer } = settings
    this.scheduler = new BatchScheduler({ kv, kvBlocksUsable, seqsMax })
    this.loop = new StepLoop({ scheduler: this.scheduler, stepModel, clock, defer })
  }

  get isAlive(): boolean {
    return this.alive
  }

  get stats(): EngineStats {
    const { kvBlocksHeld, kvBlocksHeldMax, deadlocks } = this.scheduler
    return {
      ...this.counters,
      connectionsActive: this.sessions.size,
      kvBlocksUsable: this.settings.kvBlocksUsable,
      kvBlocksHeld,
      kvBlocksHeldMax,
      deadlocks,
    }
  }

  /** Dies as when the engine process is killed. A second call does nothing. */
  die(death: EngineDeath): void {
    if (!this.alive) return
    this.alive = false
    this.loop.stop()
    for (const session of [...this.sessions]) {
      if (death.abrupt) {
        session.close(1006)
      } else {
        session.aborted(death.abortDeltas)
        if (!death.term) session.engineDied()
      }
    }
    this.onDeath(death)
  }

  /** Closes every connection and stops the engine. */
  closeAll(code: number): void {
    this.loop.stop()
    for (const session of [...this.sessions]) session.close(code)
  }
}
