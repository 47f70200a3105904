import type { Clock } from '../../../src/kernel/clock.js'
import type { Random } from '../../../src/kernel/random.js'
import type { KvModel } from '../../../src/model/kv-model.js'
import type { StepModel } from '../../../src/model/step-model.js'
import type { RecognizerFactory } from '../recognizers/recognizer.js'
import { BatchScheduler } from './batch-scheduler.js'
import { StepLoop, type Stepper } from './step-loop.js'

/** Tokens of a session, as the released model has them. */
export const DEFAULT_MAX_MODEL_LEN = 131_072
/** Utterances at a time. */
export const DEFAULT_MAX_NUM_SEQS = 256

/** What one stand-in serves, and how. */
export interface StandinSettings {
  modelId: string
  /** What `/version` says. */
  version: string
  /** Tokens of a session, prompt included. */
  maxModelLen: number
  /** As vLLM before 0.32: a session that meets `maxModelLen` takes the engine with it. */
  diesAtMaxModelLen: boolean
  /** Utterances that generate at a time; more wait silently. */
  maxNumSeqs: number
  kv: KvModel
  /** `num_gpu_blocks` less the one that holds no session. */
  kvBlocksUsable: number
  /** What a step costs; null: nothing. */
  stepModel: StepModel | null
  recognizer: RecognizerFactory
  /** Of steps and faults. */
  clock: Clock
  random: Random
  /** See `StepLoop`. */
  defer: (turn: () => void) => void
}

/** What `/metrics` counts, since the start. */
export interface EngineCounters {
  connections: number
  promptTokens: number
  generationTokens: number
  /** Utterances that ended with `done`. */
  finished: number
  /** Those of them that met the length limit. */
  capped: number
  /** Utterances whose client was gone before. */
  aborted: number
  /** Utterances that ended with an error. */
  failed: number
}

/** What can be seen of an engine from inside; counts of the process that is imitated just now. */
export interface EngineStats extends Readonly<EngineCounters> {
  readonly connectionsActive: number
  readonly kvBlocksUsable: number
  readonly kvBlocksHeld: number
  /** The most that all sessions ever held at a time. */
  readonly kvBlocksHeldMax: number
  /** How often all sessions stood still because one couldn't get its block. */
  readonly deadlocks: number
}

/** A connection, as far as the engine knows it. */
export interface EngineSession extends Stepper {
  /** The engine aborts its request, if there is one: so many empty deltas. */
  aborted(deltas: number): void
  /** The engine is dead: tells the client if it was generating. */
  engineDied(): void
  /** Ends the connection, without a close frame when the code is 1006. */
  close(code: number): void
}

/** How an engine dies; see the fault of that name. */
export interface EngineDeath {
  closeMs: number
  downMs: number
  abrupt: number
  term: number
  abortDeltas: number
}

/** What vLLM says to whoever was generating when its engine process died. */
export const ENGINE_DEAD =
  'EngineCore encountered an issue. See stack trace (above) for the root cause.'

/**
 * What all connections of one stand-in share. Two modes: alive, and dead, when nothing generates
 * and the server closes its sockets; its owner may put a new engine in the place of a dead one.
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

  /** As when the engine process is killed; the second time does nothing. */
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

  /** Ends every connection, and the engine with them. */
  closeAll(code: number): void {
    this.loop.stop()
    for (const session of [...this.sessions]) session.close(code)
  }
}
